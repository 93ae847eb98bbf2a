-- grant: leases for waiting jobs.
-- needs: core batch job queue heads due
--
-- A claim is the array {id, owner, queues, slots, prefetch, suspects, lease_ms}; its
-- queues are {queue, types, share}.

local CLAIMED = {
  'payload', 'headers', 'trace', 'attempts', 'stalls', 'created', 'ready', 'first',
  'started', 'expires', 'token', 'window',
}

-- Lease one job. Returns it as exchange.lua replies it.
local function lease_job(id, queue, type, priority, claim, window, now)
  local job = call('HMGET', job_key(id), unpack(CLAIMED))
  local token, owner, lease_ms = claim[1], claim[2], claim[7]
  local first, started, before = job[8], job[9], job[11]
  call('HSET', job_key(id), 'state', 'active', 'token', token, 'owner', owner,
    'started', now, 'lease', lease_ms)
  if before then -- claimed before, so what follows is not the ordinary case
    call('HSET', job_key(id), 'settled', before)
  end
  if first == '0' or (started and not first) then
    first = first == '0' and now or started
    call('HSET', job_key(id), 'first', first)
  end
  if window then
    call('HSET', job_key(id), 'window', window)
  elseif job[12] then
    call('HDEL', job_key(id), 'window')
  end
  if job[10] then
    zrem(prefix .. 'expiring', id)
  end
  job[8], job[9] = first or now, now
  job[11], job[12], job[13], job[14], job[15] = id, queue, type, priority, now + lease_ms
  return job
end

local function open_queue(wanted, claim, now)
  local queue, types = wanted[1], wanted[2]
  local limits = read_limits(queue)
  local room, opens_in = room_in(queue, limits, now)
  local sources = {}
  if room > 0 then
    for _, type in ipairs(types) do
      sources[#sources + 1] = new_source(waiting_key(queue, type), type, false, 0)
      if claim[6] > 0 then
        sources[#sources + 1] = new_source(suspect_key(queue, type), type, true, 0)
      end
    end
  end
  return { queue = queue, types = types, limits = limits, room = room, opens_in = opens_in,
    sources = sources, taken = {} }
end

-- Choose up to `most` jobs of an open queue, without writing.
local function choose(entry, most, claim, chosen)
  local slots, suspects = claim[4], claim[6]
  local n = math.min(most, entry.room)
  entry.room = entry.room - n
  local chunk = #entry.sources > 2 and math.ceil(n / #entry.sources) + 4 or math.max(n, 1)
  for left = n, 1, -1 do
    local suspect = chosen.count < slots and chosen.suspects < suspects
    local source = first_source(entry.sources, chunk, suspect)
    if not source then
      entry.room = entry.room + left
      return
    end
    local id, priority = take(source)
    entry.taken[#entry.taken + 1] = { id, source.type, priority }
    chosen.count = chosen.count + 1
    if source.suspect then
      chosen.suspects = chosen.suspects + 1
    end
  end
end

-- Write the leases of what was chosen in one queue.
local function lease_chosen(entry, claim, now, granted, ids)
  local window = use_rate(entry.queue, entry.limits, #entry.taken, now)
  local active, lease_end = state_key('active', entry.queue), now + claim[7]
  for _, source in ipairs(entry.sources) do
    if source.taken > 0 then
      call('ZREMRANGEBYRANK', source.key, 0, source.taken - 1)
    end
  end
  for _, item in ipairs(entry.taken) do
    local id = item[1]
    granted[#granted + 1] = lease_job(id, entry.queue, item[2], item[3], claim, window, now)
    zadd(active, lease_end, id)
    ids[#ids + 1] = id
  end
end

-- Work that is left in a queue with room wakes the next idle process.
local function wake_rest(entry)
  for _, type in ipairs(entry.types) do
    unwake(entry.queue, type)
    if entry.room > 0
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

-- Choose by shares first, then fill up in the same order. Returns the opened queues.
local function choose_all(claim, now)
  local queues, most = claim[3], claim[4] + claim[5]
  local entries, chosen = {}, { count = 0, suspects = 0 }
  for pass = 1, 2 do
    for i, wanted in ipairs(queues) do
      local left = most - chosen.count
      if left > 0 then
        entries[i] = entries[i] or open_queue(wanted, claim, now)
        choose(entries[i], pass == 1 and math.min(wanted[3], left) or left, claim, chosen)
      end
    end
  end
  return entries, most - chosen.count
end

-- In how many ms a claim that stayed short should look again; nil: nothing is known.
local function look_again(entries, now)
  local soonest = next_due(now)
  for _, entry in pairs(entries) do
    if entry.opens_in and (not soonest or entry.opens_in < soonest) then
      soonest = entry.opens_in
    end
  end
  return soonest
end

local function grant(claim, now)
  local entries, short = choose_all(claim, now)
  local granted, ids = {}, {}
  for i = 1, #claim[3] do
    if entries[i] then
      lease_chosen(entries[i], claim, now, granted, ids)
      wake_rest(entries[i])
    end
  end
  wake_unseen(claim[3], entries)
  if #ids > 0 then
    call('SADD', prefix .. 'held:' .. claim[1], unpack(ids))
    remember(prefix .. 'claim:' .. claim[1], '', now, claim[7])
  end
  return granted, short > 0 and look_again(entries, now) or nil
end

-- -- a claim that was sent before -------------------------------------------------------

local function was_granted(token, now)
  return call('EXISTS', prefix .. 'held:' .. token) == 1
    or recall(prefix .. 'claim:' .. token, now) ~= nil
end

-- The jobs that this token still holds, as they are now.
local function held_jobs(token)
  local held = {}
  for _, id in ipairs(call('SMEMBERS', prefix .. 'held:' .. token)) do
    local job = call('HMGET', job_key(id), unpack(CLAIMED))
    local queue, type, priority, place =
      unpack(call('HMGET', job_key(id), 'queue', 'type', 'priority', 'place'))
    job[8] = job[8] or job[9]
    job[11], job[12], job[13], job[14] = id, queue, type, priority or '0'
    job[15] = call('ZSCORE', state_key('active', queue), id)
    held[#held + 1] = { tonumber(job[14]), place, job }
  end
  table.sort(held, function(a, b)
    if a[1] ~= b[1] then
      return a[1] < b[1]
    end
    return bytes_before(a[2], b[2])
  end)
  for i, entry in ipairs(held) do
    held[i] = entry[3]
  end
  return held
end
