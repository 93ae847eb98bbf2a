-- job: the moves of one job between its states.
-- needs: core batch
--
-- A job is the hash job:<id>. Fields that hold a default are left out:
--   queue type payload headers('') trace('') priority(0) max_stalls(3) dedup expires
--   request   id of the enqueue that created this job, if it was the first of its batch
--   state     waiting delayed active completed failed cancelled expired
--   place     its place among its equals, 16 hex digits
--   ready     when it became waiting; delayed: when it is due
--   created   attempts(0) stalls(0) releases(0) dead_retries(0) cancel
--   token     of its lease; afterwards of the settlement that ended it
--   owner started lease(ms, 30000) extended locked first   of the newest claim
--   finished result failure reason progress checkpoint logged
--   history   how many attempts were recorded; a<n> is the n-th. The one that completed the
--             job is not among them nor in `attempts`: the fields above tell all of it

local DEFAULT_LEASE_MS = 30000

local function next_places(n)
  return call('INCRBY', prefix .. 'seq', n) - n
end

local function as_place(n)
  return string.format('%016x', n)
end

local function next_place()
  return as_place(call('INCR', prefix .. 'seq'))
end

-- When a job is due; nil if at once.
local function due_time(delay_ms, run_at, now)
  local due = run_at or now + delay_ms
  return due > now and due or nil
end

local function pending_key(queue, type, stalls)
  if stalls and tonumber(stalls) > 0 then
    return suspect_key(queue, type)
  end
  return waiting_key(queue, type)
end

local function enter_waiting(id, queue, type, priority, place, stalls)
  zadd(pending_key(queue, type, stalls), priority or 0, place .. id)
  wake(queue, type)
end

local function enter_delayed(id, queue, type, run_at, place)
  zadd(prefix .. 'due', run_at, place .. id)
  zadd(delayed_key(queue, type), run_at, place .. id)
end
