-- promote_all: make delayed jobs of a queue waiting now, in order of (run_at, place).
-- needs: core order batch job leave heads
--
-- ARGV   now, queue, limit
-- Reply  {how many, whether more remain}

local now = open(false)
local queue, limit = args[2], args[3]
local sources, promoted = {}, 0

for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
  local source = new_source(delayed_key(queue, type), type, false, 0)
  if not is_owned(source) then
    sources[#sources + 1] = source
  end
end

local function promote(id, type)
  local place, priority, stalls =
    unpack(call('HMGET', job_key(id), 'place', 'priority', 'stalls'))
  leave_delayed(id, queue, type, place)
  place = next_place()
  call('HSET', job_key(id), 'state', 'waiting', 'place', place, 'ready', now)
  enter_waiting(id, queue, type, priority, place, stalls)
end

local source = first_source(sources, 100, true)
while source and promoted < limit do
  promote((take(source)), source.type)
  promoted = promoted + 1
  source = first_source(sources, 100, true)
end
flush(now)
return { promoted, source and 1 or 0 }
