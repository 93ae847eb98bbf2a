-- list_unknown: types of activities and workflow tasks that no living worker knows.
-- needs: core
--
-- ARGV   now, grace_ms, limit
-- Reply  {queue, type} per type with waiting jobs
--
-- What is unknown, and since when, bury_unknown.lua keeps in the hash `unknown`.

local now = open(false)
local grace, limit = args[2], args[3]
local found = {}

-- The kind of the waiting jobs of a type; a type has jobs of one kind.
local function kind_of(queue, type)
  for _, key in ipairs({ waiting_key(queue, type), suspect_key(queue, type) }) do
    local head = call('ZRANGE', key, 0, 0)[1]
    if head then
      return call('HGET', job_key(head:sub(17)), 'kind')
    end
  end
end

for _, queue in ipairs(call('SMEMBERS', prefix .. 'queues')) do
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    local since = call('HGET', prefix .. 'unknown', pair(queue, type))
    if since and now - since >= grace and #found < limit then
      local kind = kind_of(queue, type)
      if kind == 'a' or kind == 'w' then
        found[#found + 1] = { queue, type }
      end
    end
  end
end
return found
