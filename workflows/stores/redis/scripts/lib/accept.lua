-- accept: new jobs.
-- needs: core batch job
--
-- A new job is the array {id, queue, type, payload, headers, priority, delay_ms, run_at,
-- expires_ms, max_stalls, dedup, trace}; what is absent is nil. Of the engine's own jobs
-- {..., kind, run, timeouts} follow (lib/activity.lua); of those that say what becomes of
-- duplicates, one more (lib/duplicate.lua).

local CREATED, DUPLICATE, DEDUPLICATED, RESCHEDULED = 0, 1, 2, 3

-- Whether any of the ids may be taken: one call for the ordinary case, that none is.
local function any_exists(jobs)
  local keys = {}
  for i, job in ipairs(jobs) do
    keys[i] = job_key(job[1])
  end
  return #keys > 0 and call('EXISTS', unpack(keys)) > 0
end

-- Until when a dedup id is held for a time; nil: it is not.
local function held_until(slot, now)
  local ends = tonumber(call('ZSCORE', prefix .. 'deadlines:dedup', slot) or 0)
  return ends > now and ends or nil
end

local function timed_owner(slot, now)
  return held_until(slot, now) and call('HGET', prefix .. 'values:dedup', slot)
end

local function answer_for(job, ids, owners, look, now)
  local id, queue, dedup = job[1], job[2], job[11]
  if ids[id] or (look and call('HEXISTS', job_key(id), 'state') == 1) then
    return DUPLICATE, id
  end
  if dedup then
    local slot = pair(queue, dedup)
    local owner = owners[slot] or call('HGET', prefix .. 'dedup:' .. queue, dedup)
      or timed_owner(slot, now)
    if owner then
      return DEDUPLICATED, owner
    end
    owners[slot] = id
  end
  ids[id] = true
  return CREATED, id
end

-- Decide each job without writing: a flat list of (status, id), how many are new. `look`:
-- some of the ids may be taken.
local function plan(jobs, look, now)
  local ids, owners, answers, created = {}, {}, {}, 0
  for i, job in ipairs(jobs) do
    local status, id = answer_for(job, ids, owners, look, now)
    answers[2 * i - 1], answers[2 * i] = status, id
    if status == CREATED then
      created = created + 1
    end
  end
  return answers, created
end

local function make_known(queue, type)
  if call('SADD', prefix .. 'types:' .. queue, type) == 1 then
    call('SADD', prefix .. 'queues', queue)
  end
end

local function append(list, name, value)
  if value then
    local n = #list
    list[n + 1], list[n + 2] = name, value
  end
end

-- Gather the entries of a new job in all indexes; return the fields of its record.
local function enter(job, place, now, request)
  local id, queue, type, payload, headers, priority, delay_ms, run_at, expires_ms,
    max_stalls, dedup, trace = unpack(job, 1, 12)
  local due = due_time(delay_ms, run_at, now)
  local expires = expires_ms and now + expires_ms
  local fields = {
    'queue', queue, 'type', type, 'payload', payload, 'state', due and 'delayed' or 'waiting',
    'place', place, 'ready', due or now, 'created', now,
  }
  append(fields, 'headers', headers)
  append(fields, 'priority', priority)
  append(fields, 'expires', expires)
  append(fields, 'max_stalls', max_stalls)
  append(fields, 'dedup', dedup)
  append(fields, 'trace', trace)
  append(fields, 'request', request)
  if job[13] then
    engine().adopt(job, fields, place, due or now, now)
  end
  if expires then
    zadd(prefix .. 'expiring', expires, id)
  end
  if due then
    enter_delayed(id, queue, type, due, place)
  else
    enter_waiting(id, queue, type, priority, place, nil)
  end
  count(queue, 'enqueued')
  return fields
end

-- Write the jobs that `plan` found new. The records come last: should there be a foreign
-- value at any other key, the script fails before the first job is there.
local function accept(jobs, answers, created, now, request)
  if created == 0 then
    return
  end
  local place, seen, records = next_places(created), {}, {}
  for i, job in ipairs(jobs) do
    if answers[2 * i - 1] == CREATED then
      local slot = pair(job[2], job[3])
      if not seen[slot] then
        seen[slot] = true
        make_known(job[2], job[3])
      end
      place = place + 1
      records[i] = enter(job, as_place(place), now, i == 1 and request)
    end
  end
  flush_counts(now)
  flush_sets()
  for i, job in ipairs(jobs) do
    if records[i] then
      local id, queue, dedup = job[1], job[2], job[11]
      if dedup then
        call('HSET', prefix .. 'dedup:' .. queue, dedup, id)
      end
      call('HSET', job_key(id), unpack(records[i]))
    end
  end
end

local function accept_new(jobs, now)
  local answers, created = plan(jobs, true, now)
  accept(jobs, answers, created, now)
end
