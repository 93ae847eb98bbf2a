-- dead: back from the dead-letter queue.
-- needs: core batch job

-- Make a dead letter waiting. It starts anew, but keeps its history and its priority.
local function retry_dead(id, queue, now)
  local key, place = job_key(id), next_place()
  local type, priority = unpack(call('HMGET', key, 'type', 'priority'))
  zrem(state_key('failed', queue), id)
  call('HSET', key, 'state', 'waiting', 'place', place, 'ready', now, 'first', '0')
  call('HINCRBY', key, 'dead_retries', 1)
  call('HDEL', key, 'attempts', 'stalls', 'releases', 'dedup', 'expires', 'cancel',
    'finished', 'reason')
  enter_waiting(id, queue, type, priority, place, nil)
end
