-- exchange: settle what is done and claim what is next.
-- needs: core order batch job leave accept value lease queue settle heads due grant
-- runs: run inbox task timer activity drop start close owned commit
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

-- Why a settlement does not fit its job, whose lease holds; or nil.
local LEAVE_TASK = { commit = true, retry = true, release = true, ['return'] = true }

local function misfit(kind, id, token)
  local ends_task = id:sub(1, 4) == 'wft:' and not LEAVE_TASK[kind]
  if kind ~= 'detach' and not ends_task then
    return nil
  end
  local state, held, is = unpack(call('HMGET', job_key(id), 'state', 'token', 'kind'))
  if state ~= 'active' or held ~= token then
    return nil
  elseif ends_task then
    return "the workflow task '" .. id .. "' ends by a Commit, not by " .. kind
  end
  return is ~= 'a' and is ~= 'd' and "only activities are detached, not job '" .. id .. "'" or nil
end

for _, item in ipairs(settlements) do
  local reason = misfit(item[1], item[2], item[3])
  if reason then
    return reason
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
  promote_due(now, MAX_DUE)
  flush_sets()
  fire_timers(now, MAX_DUE)
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
