-- settle: the end of a lease as its worker reports it.
-- needs: core batch job leave accept value lease queue
--
-- A settlement is the array {kind, job id, token, jobs, values, join, outcome, ...}:
-- follow-up jobs as in lib/accept.lua, values {key, value, ttl_ms}, a join {key, index,
-- size, value, job}, the inbox entry that an activity's run gets, or nil. What follows
-- depends on the kind; see the functions of `kinds`, and lib/commit.lua.

local LOST, ALREADY = 'lost', 'already'
local MAX_RELEASES = 10

local touched = {} -- queues in which a lease ended
local inlined = {} -- leases that commits were granted: {token, job as in exchange.lua}

-- The bucket of a duration: workflows/engine/histogram.py, bit for bit.
local function bucket(ms)
  if ms < 1 then
    return 0
  end
  local mantissa, exponent = math.frexp(ms)
  return exponent * 4 + math.floor((mantissa - 0.5) * 8)
end

local function count_run(queue, ready, started, now)
  count_in(minutes, queue, 'w' .. bucket(started - ready))
  count_in(minutes, queue, 'r' .. bucket(now - started))
end

-- Each returns the state that the job is in now.
local kinds = {}

-- {..., result, remove}
function kinds.complete(job, item, now)
  local id, queue = job.id, job.queue
  drop_lease(job)
  count(queue, 'completed')
  count_run(queue, job.ready, job.started, now)
  if item[9] and not job.kind then
    release_dedup(id, queue, job.dedup)
    forget(id, now)
    return 'completed'
  end
  if item[8] then
    finish(job, 'completed', now, 'result', item[8])
  else
    finish(job, 'completed', now)
  end
  return 'completed'
end

-- Only what has a place lingers: a plain job or an activity that a worker holds.
local function let_go(job, lingers)
  if lingers and job.token ~= '' and (not job.kind or job.kind == 'a') then
    linger(job)
  else
    drop_lease(job)
  end
end

-- {..., failure, delay_ms, run_at, spend, linger}
function kinds.retry(job, item, now)
  local id, queue = job.id, job.queue
  local failure, spend = item[8], item[11]
  let_go(job, item[12])
  if job.cancel then
    return end_cancelled(job, now, failure)
  end
  local number = job.attempts + 1
  keep_failure(id, failure)
  if spend then
    count(queue, 'retried')
    count_run(queue, job.ready, job.started, now)
  end
  local place = next_place()
  local due = due_time(item[9], item[10], now)
  local state = due and 'delayed' or 'waiting'
  local priority, stalls, expires =
    unpack(call('HMGET', job_key(id), 'priority', 'stalls', 'expires'))
  call('HSET', job_key(id), 'state', state, 'place', place, 'ready', due or now,
    'attempts', spend and number or job.attempts,
    record(job, number, now, spend and 'retry' or 'snoozed', failure))
  if expires then
    zadd(prefix .. 'expiring', expires, id)
  end
  if due then
    enter_delayed(id, queue, job.type, due, place)
  else
    enter_waiting(id, queue, job.type, priority, place, stalls)
  end
  if job.kind then
    engine().pend(job, due or now)
  end
  if job.token == '' then
    engine().remember_seized(id, now)
  end
  return state
end

-- {..., failure, reason, spend, remove, linger}
function kinds.bury(job, item, now)
  local id, queue = job.id, job.queue
  local failure, reason, spend = item[8], item[9], item[10]
  let_go(job, item[12])
  count_in(totals, queue, 'dead:' .. reason)
  count_in(minutes, queue, 'dead')
  if spend then
    count_run(queue, job.ready, job.started, now)
  end
  if item[11] and not job.kind then
    release_dedup(id, queue, job.dedup)
    forget(id, now)
    return 'failed'
  end
  local number = job.attempts + 1
  keep_failure(id, failure)
  finish(job, 'failed', now, 'reason', reason, 'attempts',
    spend and number or job.attempts, record(job, number, now, 'dead', failure))
  return 'failed'
end

-- The rate-limit slot of a claim that started nothing is free again, while its window is.
local function refund(job, now)
  if job.kind and job.kind ~= 'a' then
    return -- it took none
  end
  local limits, started = read_limits(job.queue), tonumber(job.started)
  if limits.rate_ms and limits.window and limits.used > 0
    and started >= limits.window and now < limits.window + limits.rate_ms then
    call('HINCRBY', queue_key(job.queue), 'rate_used', -1)
  end
end

-- {..., started}
function kinds.release(job, item, now)
  local started = item[8]
  drop_lease(job)
  if not started then
    refund(job, now)
  end
  if job.cancel then
    return end_cancelled(job, now)
  elseif not started then
    return put_back(job, job.ready)
  end
  count_in(totals, job.queue, 'released')
  if call('HINCRBY', job_key(job.id), 'releases', 1) > MAX_RELEASES then
    return stall(job, now)
  end
  return put_back(job, now, record(job, job.attempts + 1, now, 'released'))
end

function kinds.cancel(job, _, now)
  drop_lease(job)
  return end_cancelled(job, now)
end

function kinds.expire(job, _, now)
  drop_lease(job)
  finish(job, 'expired', now)
  count(job.queue, 'expired')
  return 'expired'
end

function kinds.detach(job)
  return engine().detach(job)
end

-- -- what comes with a settlement -------------------------------------------------------

local function report(join, now)
  local key, index, size, value, job = unpack(join, 1, 5)
  local members = prefix .. 'joined:' .. key
  if call('SADD', members, index) == 0 then
    return
  end
  call('HSET', prefix .. 'values:join', key .. ':' .. index, value)
  if call('SCARD', members) == size then
    call('PEXPIRE', members, REQUEST_MEMORY_MS)
    accept_new({ job }, now)
  end
end

local function follow_up(item, now)
  if item[4] then
    accept_new(item[4], now)
  end
  for _, value in ipairs(item[5] or {}) do
    put_value('result', value[1], value[2], value[3], now)
    notify('watch:value:' .. pair('result', value[1]))
  end
  if item[6] then
    report(item[6], now)
  end
end

-- The lease does not hold. Did this token itself end it?
local function verdict(job, token, now)
  if job.state and job.state ~= 'active' and job.token == token then
    return ALREADY
  end
  flush_sets() -- it may have been in this very call
  if token == '' then
    return engine().was_seized(job.id, now) and ALREADY or LOST
  end
  return call('SISMEMBER', prefix .. 'done:' .. token, job.id) == 1 and ALREADY or LOST
end

-- What settles a pending activity, without a token.
local ENDS_PENDING = { complete = 1, retry = 1, bury = 1, cancel = 1, expire = 1 }

-- Apply one settlement: 'lost', 'already', or the state that the job is in now ('' if
-- its record is gone).
local function settle(item, now)
  local kind, id, token = item[1], item[2], item[3]
  if kind == 'return' then
    flush_sets() -- it may have begun to linger in this very call
    local queue = stop_lingering(token, id)
    if queue then
      touched[queue] = true
    end
    local state = call('HGET', job_key(id), 'state') or ''
    follow_up(item, now)
    return state
  end
  local job = { id = id }
  if token ~= '' then
    job = read_lease(id)
  elseif ENDS_PENDING[kind] then
    job = engine().seize(id, now)
  end
  if job.state ~= 'active' or job.token ~= token then
    local reason = verdict(job, token, now)
    if reason == ALREADY and kind == 'commit' and item[19] then
      engine().inline_again(item[19])
    end
    return reason
  end
  if job.kind then
    job.run = call('HGET', job_key(id), 'run')
  end
  if kind == 'commit' then
    return engine().commit(job, item, now)
  end
  if kind ~= 'complete' then
    read_run(job)
  end
  local state = kinds[kind](job, item, now)
  touched[job.queue] = true
  if job.kind and not engine().tell(job, item[7], state, now) then
    return state
  end
  follow_up(item, now)
  return state
end
