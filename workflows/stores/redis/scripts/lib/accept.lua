-- accept: new jobs.
-- needs: core batch job
--
-- A new job is the array {id, queue, type, payload, headers, priority, delay_ms, run_at,
-- expires_ms, max_stalls, dedup, trace}; what is absent is nil.

local CREATED, DUPLICATE, DEDUPLICATED = 0, 1, 2

local function answer_for(job, ids, owners)
  local id, queue, dedup = job[1], job[2], job[11]
  if ids[id] or call('HEXISTS', job_key(id), 'state') == 1 then
    return DUPLICATE, id
  end
  if dedup then
    local slot = pair(queue, dedup)
    local owner = owners[slot] or call('HGET', prefix .. 'dedup:' .. queue, dedup)
    if owner then
      return DEDUPLICATED, owner
    end
    owners[slot] = id
  end
  ids[id] = true
  return CREATED, id
end

-- Decide each job without writing: a flat list of (status, id), how many are new.
local function plan(jobs)
  local ids, owners, answers, created = {}, {}, {}, 0
  for i, job in ipairs(jobs) do
    local status, id = answer_for(job, ids, owners)
    answers[2 * i - 1], answers[2 * i] = status, id
    if status == CREATED then
      created = created + 1
    end
  end
  return answers, created
end

-- Make the queue and the type known. Reads what will be written, so that a foreign value
-- at a key is found before the first job is.
local function make_known(queue, type)
  call('ZCARD', waiting_key(queue, type))
  call('ZCARD', delayed_key(queue, type))
  call('HLEN', prefix .. 'totals:' .. queue)
  call('SADD', prefix .. 'types:' .. queue, type)
  call('SADD', prefix .. 'queues', queue)
end

local function write_job(job, place, now, request)
  local id, queue, type, payload, headers, priority, delay_ms, run_at, expires_ms,
    max_stalls, dedup, trace = unpack(job, 1, 12)
  local due = due_time(delay_ms, run_at, now)
  local fields = {
    'queue', queue, 'type', type, 'payload', payload, 'state', due and 'delayed' or 'waiting',
    'place', place, 'ready', due or now, 'created', now,
  }
  local n = 14
  local function set(name, value)
    if value then
      fields[n + 1], fields[n + 2] = name, value
      n = n + 2
    end
  end
  local expires = expires_ms and now + expires_ms
  set('headers', headers)
  set('priority', priority)
  set('expires', expires)
  set('max_stalls', max_stalls)
  set('dedup', dedup)
  set('trace', trace)
  set('request', request)
  call('HSET', job_key(id), unpack(fields, 1, n))
  if dedup then
    call('HSET', prefix .. 'dedup:' .. queue, dedup, id)
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
end

-- Write the jobs that `plan` found new.
local function accept(jobs, answers, created, now, request)
  if created == 0 then
    return
  end
  local seen = {}
  for i, job in ipairs(jobs) do
    local slot = pair(job[2], job[3])
    if answers[2 * i - 1] == CREATED and not seen[slot] then
      seen[slot] = true
      make_known(job[2], job[3])
    end
  end
  local place = next_places(created)
  for i, job in ipairs(jobs) do
    if answers[2 * i - 1] == CREATED then
      place = place + 1
      write_job(job, as_place(place), now, i == 1 and request or nil)
    end
  end
end

local function accept_new(jobs, now)
  local answers, created = plan(jobs)
  accept(jobs, answers, created, now)
end
