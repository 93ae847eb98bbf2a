-- get_queues: what is known of some queues.
-- needs: core order look batch queue heads
--
-- ARGV   now, names
-- Reply  per known queue {name, counts {state, n, ...}, totals {name, n, ...},
--        settings {field, value, ...}, smallest `ready` of its types' heads or nil}

look()
local STATES = { 'active', 'completed', 'failed', 'cancelled', 'expired' }

local function pending_of(queue)
  local waiting, delayed, oldest = 0, 0, nil
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    local keys = { waiting_key(queue, type), suspect_key(queue, type) }
    waiting = waiting + call('ZCARD', keys[1]) + call('ZCARD', keys[2])
    delayed = delayed + call('ZCARD', delayed_key(queue, type))
    local sources = { new_source(keys[1], type, false, 0), new_source(keys[2], type, true, 0) }
    local head = first_source(sources, 1, true)
    if head then
      local ready = tonumber(call('HGET', job_key((take(head))), 'ready'))
      oldest = math.min(oldest or ready, ready)
    end
  end
  return waiting, delayed, oldest
end

local queues = {}
for _, queue in ipairs(args[2]) do
  if call('SISMEMBER', prefix .. 'queues', queue) == 1 then
    local waiting, delayed, oldest = pending_of(queue)
    local counts = { 'waiting', waiting, 'delayed', delayed }
    for _, state in ipairs(STATES) do
      counts[#counts + 1] = state
      counts[#counts + 1] = call('ZCARD', state_key(state, queue))
    end
    queues[#queues + 1] = { queue, counts, call('HGETALL', prefix .. 'totals:' .. queue),
      call('HGETALL', queue_key(queue)), oldest or false }
  end
end
return queues
