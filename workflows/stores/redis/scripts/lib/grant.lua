-- grant: leases for waiting jobs.
-- needs: core order batch job leave queue heads due
--
-- A claim is the array {id, owner, queues, slots, prefetch, suspects, lease_ms}; its
-- queues are {queue, types, share}.

local CLAIMED = { 'payload', 'headers', 'trace', 'created', 'ready', 'expires', 'started', 'kind' }
local BEFORE = { 'attempts', 'stalls', 'first', 'token' }

-- The job as exchange.lua replies it; what it had before only if it was claimed before.
local function as_granted(job, id, queue, type, priority, lease_end)
  job[8], job[9], job[10], job[11], job[12] = id, queue, type, priority, lease_end
  return job
end

-- A job that was claimed before: remember who settled it, and when it first started.
local function claim_again(id, started, now)
  local key = job_key(id)
  local attempts, stalls, first, settled =
    unpack(call('HMGET', key, unpack(BEFORE)))
  if settled then
    remember_done(settled, id)
  end
  if first == '0' or not first then
    first = first == '0' and now or started
    call('HSET', key, 'first', first)
  end
  return attempts, stalls, first
end

-- Lease one job.
local function lease_job(id, queue, type, priority, claim, now)
  local key, job = job_key(id), call('HMGET', job_key(id), unpack(CLAIMED))
  local token, owner, lease_ms = claim[1], claim[2], claim[7]
  local expires, started, kind = job[6], job[7], job[8]
  if started then
    job[13], job[14], job[15] = claim_again(id, started, now)
  end
  call('HSET', key, 'state', 'active', 'token', token, 'owner', owner, 'started', now)
  if started or lease_ms ~= DEFAULT_LEASE_MS then
    call('HSET', key, 'lease', lease_ms)
  end
  if expires then
    zrem(prefix .. 'expiring', id)
  end
  job[7] = now
  as_granted(job, id, queue, type, priority, now + lease_ms)
  if kind then
    engine().begin(job, id, kind, queue, now)
  end
  return job
end

-- The types of a queue that its limits do not bind; only asked for if it has any.
local function exempt_types(queue, limits)
  local exempt = {}
  if limits.concurrency or limits.rate_max then
    for _, type in ipairs(call('SMEMBERS', prefix .. 'exempt:' .. queue)) do
      exempt[type] = true
    end
  end
  return exempt
end

local function open_queue(wanted, claim, now)
  local queue, types = wanted[1], wanted[2]
  local limits = read_limits(queue)
  local room, exempt = room_in(queue, limits, now), exempt_types(queue, limits)
  local sources = {}
  local function add(key, type, suspect)
    local source = new_source(key, type, suspect, 0)
    source.exempt = exempt[type]
    sources[#sources + 1] = source
  end
  for _, type in ipairs(limits.paused and {} or types) do
    if room > 0 or exempt[type] then
      add(waiting_key(queue, type), type, false)
      if claim[6] > 0 then
        add(suspect_key(queue, type), type, true)
      end
    end
  end
  return { queue = queue, types = types, limits = limits, room = room, exempt = exempt,
    sources = sources, counted = 0 }
end

-- Choose up to `most` jobs of an open queue, without writing.
local function choose(entry, most, claim, chosen)
  local slots, suspects = claim[4], claim[6]
  local n = next(entry.exempt) and most or math.min(most, entry.room)
  local chunk = #entry.sources > 2 and math.ceil(n / #entry.sources) + 4 or math.max(n, 1)
  for _ = 1, n do
    local suspect = #chosen < slots and chosen.suspects < suspects
    local source = first_source(entry.sources, chunk, suspect, entry.room < 1)
    if not source then
      return
    end
    local id, priority = take(source)
    chosen[#chosen + 1] = { id, entry.queue, source.type, priority }
    if source.suspect then
      chosen.suspects = chosen.suspects + 1
    end
    if not source.exempt then
      entry.room, entry.counted = entry.room - 1, entry.counted + 1
    end
  end
end

-- Work that is left in a queue with room wakes the next idle process.
local function wake_rest(entry)
  for _, type in ipairs(entry.types) do
    woken[wake_key(entry.queue, type)] = nil
    if (entry.room > 0 or entry.exempt[type] and not entry.limits.paused)
      and call('EXISTS', waiting_key(entry.queue, type), suspect_key(entry.queue, type)) > 0 then
      wake(entry.queue, type)
    end
  end
end

-- The queues that a full claim did not look into keep their work: wake for it.
local function wake_unseen(queues, entries)
  for i, wanted in ipairs(queues) do
    if not entries[i] then
      for _, type in ipairs(wanted[2]) do
        if call('EXISTS', waiting_key(wanted[1], type), suspect_key(wanted[1], type)) > 0 then
          wake(wanted[1], type)
        end
      end
    end
  end
end

-- Choose by shares first, then fill up in the same order. Returns the chosen jobs and
-- the opened queues.
local function choose_all(claim, now)
  local most, entries, chosen = claim[4] + claim[5], {}, { suspects = 0 }
  for pass = 1, 2 do
    for i, wanted in ipairs(claim[3]) do
      local left = most - #chosen
      if left > 0 then
        entries[i] = entries[i] or open_queue(wanted, claim, now)
        choose(entries[i], pass == 1 and math.min(wanted[3], left) or left, claim, chosen)
      end
    end
  end
  return chosen, entries
end

-- In how many ms a claim that stayed short should look again; nil: nothing is known.
local function look_again(entries, now)
  local soonest
  local function at(ms)
    if ms and (not soonest or ms < soonest) then
      soonest = ms
    end
  end
  at(next_due(prefix .. 'timers', now))
  local delayed = call('EXISTS', prefix .. 'due') == 1
  for _, entry in ipairs(entries) do
    at(opens_in(entry.limits, now))
    for _, type in ipairs(delayed and not entry.limits.paused and entry.types or {}) do
      at(next_due(delayed_key(entry.queue, type), now))
    end
  end
  return soonest
end

-- Take the chosen jobs out of the sets that they wait in.
local function take_out(entry, now)
  use_rate(entry.queue, entry.limits, entry.counted, now)
  for _, source in ipairs(entry.sources) do
    if source.taken > 0 then
      call('ZREMRANGEBYRANK', source.key, 0, source.taken - 1)
    end
  end
end

local function grant(claim, now)
  local token, lease_ms = claim[1], claim[7]
  local chosen, entries = choose_all(claim, now)
  for _, entry in ipairs(entries) do
    take_out(entry, now)
    wake_rest(entry)
  end
  wake_unseen(claim[3], entries)
  local granted, held = {}, prefix .. 'held:' .. token
  for i, job in ipairs(chosen) do
    local id, queue, type, priority = unpack(job)
    granted[i] = lease_job(id, queue, type, priority, claim, now)
    zadd(state_key('active', queue), now + lease_ms, id)
    zadd(held, i, id)
  end
  if #granted > 0 then
    remember(prefix .. 'claim:' .. token, '', now, lease_ms)
  end
  local short = #granted < claim[4] + claim[5]
  return granted, short and look_again(entries, now) or nil
end

-- -- a claim that was sent before -------------------------------------------------------

local function was_granted(token, now)
  return call('EXISTS', prefix .. 'held:' .. token) == 1
    or recall(prefix .. 'claim:' .. token, now) ~= nil
end

local function held_job(id, queue, type, priority)
  local job = call('HMGET', job_key(id), unpack(CLAIMED))
  local attempts, stalls, first = unpack(call('HMGET', job_key(id), unpack(BEFORE)))
  job[13], job[14], job[15] = attempts, stalls, first or job[7]
  local lease_end, kind = call('ZSCORE', state_key('active', queue), id), job[8]
  as_granted(job, id, queue, type, priority or '0', lease_end)
  if kind then
    engine().describe(job, id, kind)
  end
  return job
end

-- The jobs that this token still holds, as they are now; what only lingers is not one.
local function held_jobs(token)
  local held = {}
  for _, id in ipairs(call('ZRANGE', prefix .. 'held:' .. token, 0, -1)) do
    local state, of, queue, type, priority =
      unpack(call('HMGET', job_key(id), 'state', 'token', 'queue', 'type', 'priority'))
    if state == 'active' and of == token then
      held[#held + 1] = held_job(id, queue, type, priority)
    end
  end
  return held
end
