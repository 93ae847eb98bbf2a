-- drain: delete waiting jobs of a queue in the order of claims, then delayed ones if asked.
-- needs: core batch job heads
--
-- ARGV   now, queue, delayed too?, limit
-- Reply  {how many, whether more remain}

local now = open(false)
local queue, delayed, limit = args[2], args[3], args[4]
local sources, left = {}, limit

local function delete(id)
  local _, dedup = leave_pending(id)
  release_dedup(id, queue, dedup)
  forget(id, now)
  left = left - 1
end

for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
  sources[#sources + 1] = new_source(waiting_key(queue, type), type, false, 0)
  sources[#sources + 1] = new_source(suspect_key(queue, type), type, true, 0)
end
while left > 0 do
  local source = first_source(sources, 100, true)
  if not source then
    break
  end
  delete((take(source)))
end
if delayed and left > 0 then
  for _, member in ipairs(call('ZRANGE', state_key('delayed', queue), 0, left - 1)) do
    delete(member:sub(17))
  end
end
flush(now)

local more = delayed and call('EXISTS', state_key('delayed', queue)) or 0
for _, source in ipairs(sources) do
  more = math.max(more, call('EXISTS', source.key))
end
return { limit - left, more }
