-- set_queue: declare a queue, override its limits, pause and resume it.
-- needs: core batch queue
--
-- ARGV   now, queue, create it?, fields to delete, fields to set (name, value, ...)
-- Reply  0 if the queue is not known, else 1

local now = open(false)
local queue, create, clear, set = args[2], args[3], args[4], args[5]

if create then
  call('SADD', prefix .. 'queues', queue)
elseif call('SISMEMBER', prefix .. 'queues', queue) == 0 then
  return 0
end
if #clear > 0 then
  call('HDEL', queue_key(queue), unpack(clear))
end
if #set > 0 then
  call('HSET', queue_key(queue), unpack(set))
end
wake_all(queue)
flush(now)
return 1
