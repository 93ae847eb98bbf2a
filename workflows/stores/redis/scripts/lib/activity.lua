-- activity: what jobs have that the engine owns.
-- needs: core batch run
--
-- More fields of job:<id>, only of these:
--   kind      a: activity  d: one that is detached  w: workflow task  q: query  u: upkeep
--   run       its run (of a task: in its id; upkeep is of none)
--   timeouts  schedule-to-start, start-to-close, schedule-to-close, heartbeat in ms; '-'
--   beat      time of the newest heartbeat of this attempt;  details: of the newest of all
--
-- Tasks, queries and upkeep take no place in the concurrency of their queue, nor does what is
-- detached: the field `exempt` of the queue counts such leases, the set exempt:<queue>
-- holds their types. (A type has jobs of one kind.)

local function earliest(...)
  local first
  for i = 1, select('#', ...) do
    local time = select(i, ...)
    if time and (not first or time < first) then
      first = time
    end
  end
  return first
end

local function read_timeouts(text)
  local start, close, whole, beat = text:match('^(%S+) (%S+) (%S+) (%S+)$')
  return tonumber(start), tonumber(close), tonumber(whole), tonumber(beat)
end

local function after(time, ms)
  return ms and time + ms
end

local function arm(id, deadline)
  if deadline then
    zadd(prefix .. 'overdue', deadline, 'a' .. id)
  else
    zrem(prefix .. 'overdue', 'a' .. id)
  end
end

-- The deadline of an activity that nobody runs.
function runs.arm_pending(id, timeouts, created, ready)
  if timeouts then
    local start, _, whole = read_timeouts(timeouts)
    arm(id, earliest(after(created, whole), after(ready, start)))
  end
end

-- The deadline of one that runs, or is detached.
function runs.arm_active(id, timeouts, created, started, beat)
  if timeouts then
    local _, close, whole, heartbeat = read_timeouts(timeouts)
    arm(id, earliest(after(created, whole), after(started, close),
      after(beat or started, heartbeat)))
  end
end

function runs.activities_key(id)
  return prefix .. 'activities:' .. id
end

local function add_field(fields, name, value)
  if value then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end

-- A new activity, query or upkeep job (lib/accept.lua).
function runs.adopt(job, fields, place, ready, now)
  local id, kind, run, timeouts = job[1], job[13], job[14], job[15]
  add_field(fields, 'kind', kind)
  add_field(fields, 'run', run)
  add_field(fields, 'timeouts', timeouts)
  if kind == 'u' then
    call('SADD', prefix .. 'exempt:' .. job[2], job[3])
  elseif kind == 'q' then
    call('SADD', prefix .. 'exempt:' .. job[2], job[3])
    call('SADD', prefix .. 'queries:' .. run, id)
  else
    zadd(runs.activities_key(run), tonumber(place, 16), id)
    runs.arm_pending(id, timeouts, now, ready)
  end
end

local OWNED = { 'run', 'details', 'failure', 'timeouts', 'attempts' }

-- What a granted job has more: kind, run, timeouts, details, failure.
function runs.describe(row, id, kind)
  local run, details, failure, timeouts, attempts =
    unpack(call('HMGET', job_key(id), unpack(OWNED)))
  row[13], row[14], row[15] = attempts, row[14] or false, row[15] or false
  row[16], row[17], row[18], row[19], row[20] = kind, run, timeouts, details, failure
end

-- A job of the engine is leased.
function runs.begin(row, id, kind, queue, now)
  runs.describe(row, id, kind)
  if kind == 'a' then
    if row[18] then
      runs.arm_active(id, row[18], row[4], now, nil)
    end
  else
    call('HINCRBY', queue_key(queue), 'exempt', 1)
  end
end

-- It is pending again.
function runs.pend(job, ready)
  if job.kind == 'a' or job.kind == 'd' then
    local timeouts, created = unpack(call('HMGET', job_key(job.id), 'timeouts', 'created'))
    call('HSET', job_key(job.id), 'kind', 'a')
    call('HDEL', job_key(job.id), 'beat')
    if timeouts then
      runs.arm_pending(job.id, timeouts, created, ready)
    end
  end
end
