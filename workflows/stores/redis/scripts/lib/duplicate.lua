-- duplicate: new jobs that say what becomes of duplicates.
-- needs: core batch job accept leave pend value
--
-- Such a job has {ttl_ms or false, extend?, on_duplicate} in its 16th place. A dedup id
-- that is held for a time is a value of the space dedup: pair(queue, dedup id) to job id.

local function take_out(id, now)
  local queue, dedup = leave_pending(id)
  release_dedup(id, queue, dedup)
  forget(id, now)
  flush_sets()
end

-- Do to the holder what the new job says: 'gone', 'put off' or 'kept'.
local function meet(id, job, on_duplicate, now)
  local state, queue, kind = unpack(call('HMGET', job_key(id), 'state', 'queue', 'kind'))
  if queue ~= job[2] or kind then
    return 'kept'
  elseif on_duplicate == 'replace' and state == 'delayed' then
    take_out(id, now)
    return 'gone'
  elseif on_duplicate == 'reschedule' and (state == 'delayed' or state == 'waiting') then
    put_off(id, job[7], job[8], now)
    flush_sets()
    return 'put off'
  end
  return 'kept'
end

local function accept_one(job, now)
  local ttl, extend, on_duplicate = unpack(job[16] or { false, false, 'keep' }, 1, 3)
  local answer = plan({ job }, true, now)
  local slot = job[11] and pair(job[2], job[11])
  local ends = slot and held_until(slot, now)
  if answer[1] == DUPLICATE then
    return DUPLICATE, answer[2]
  elseif answer[1] == DEDUPLICATED then
    if ends and extend then
      put_value('dedup', slot, answer[2], ttl, now)
    end
    local done = meet(answer[2], job, on_duplicate, now)
    if done == 'put off' then
      return RESCHEDULED, answer[2]
    elseif done == 'kept' then
      return DEDUPLICATED, answer[2]
    end
  end
  if ttl and (extend or not ends) then
    ends = now + ttl
  end
  if ends then
    put_value('dedup', slot, job[1], ends - now, now)
    job[11] = nil
  end
  accept({ job }, { CREATED, job[1] }, 1, now)
  return CREATED, job[1]
end

-- Accept such jobs, each after those before it; a flat list of (status, id).
function runs.accept_each(jobs, now)
  local answers = {}
  for i, job in ipairs(jobs) do
    answers[2 * i - 1], answers[2 * i] = accept_one(job, now)
  end
  return answers
end
