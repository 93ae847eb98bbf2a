-- exchange: settle what is done and claim what is next.
-- needs: core order batch job leave accept value lease queue settle heads due grant
-- runs: run inbox task timer activity start close owned commit
--
-- ARGV   now, settlements (lib/settle.lua), claim (lib/grant.lua) or nil
-- Reply  {now, states, jobs, next_in_ms or nil, revocations, inline jobs {token, job}};
--        or why all of it is refused
--   states  per settlement 'lost', 'already', 'conflict', 'again', or the state that its
--           job is in now
--   jobs    {payload, headers, trace, created, ready, expires, started, id, queue, type,
--           priority, lease end}, and if it was claimed before {..., attempts, stalls,
--           first started}; if the engine owns it, these and {..., kind, run, timeouts,
--           details, failure}

local now = open(false)
local settlements, claim = args[2], args[3]

for _, item in ipairs(settlements) do
  local kind = item[1] == 'detach' and call('HMGET', job_key(item[2]), 'kind', 'state')
  if kind and kind[2] and kind[1] ~= 'a' and kind[1] ~= 'd' then
    return 'only activities are detached, not job ' .. item[2]
  end
end

local states = {}
for i, item in ipairs(settlements) do
  states[i] = settle(item, now)
end
flush_sets()

-- Work in a queue at its limit waits for places. The claim below may take them; if it
-- does not look there, another process should.
for queue in pairs(touched) do
  if read_limits(queue).concurrency then
    wake_all(queue)
  end
end

local jobs, next_in = {}, nil
if claim and was_granted(claim[1], now) then
  jobs = held_jobs(claim[1])
elseif claim then
  promote_due(now, MAX_STEP)
  flush_sets()
  fire_timers(now, MAX_STEP)
  local expired = expire_due(now, MAX_STEP)
  flush_sets()
  if expired < MAX_STEP then
    jobs, next_in = grant(claim, now)
  else
    next_in = 0 -- more may have expired, and none of them may start: first the next step
  end
end

local revocations = call('EXISTS', values_key('revoked')) == 1
if revocations then
  drop_past('revoked', now, MAX_STEP)
  revocations = call('EXISTS', values_key('revoked')) == 1
end
flush(now)
return { now, states, jobs, next_in or false, revocations and 1 or 0, inlined }
