-- drain: delete waiting jobs of a queue in the order of claims, then delayed ones if asked.
-- needs: core order batch job leave heads
--
-- ARGV   now, queue, delayed too?, limit
-- Reply  {how many, whether more remain}

local now = open(false)
local queue, delayed, limit = args[2], args[3], args[4]
local left = limit

local function delete(id)
  local _, dedup = leave_pending(id)
  release_dedup(id, queue, dedup)
  forget(id, now)
  left = left - 1
end

local function drain(sources)
  while left > 0 do
    local source = first_source(sources, 100, true)
    if not source then
      return
    end
    delete((take(source)))
  end
end

local waiting, later = {}, {}

-- What the engine owns is passed over.
local function add(sources, key, type, suspect)
  local source = new_source(key, type, suspect, 0)
  if not is_owned(source) then
    sources[#sources + 1] = source
  end
end

for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
  add(waiting, waiting_key(queue, type), type, false)
  add(waiting, suspect_key(queue, type), type, true)
  if delayed then
    add(later, delayed_key(queue, type), type, false)
  end
end
drain(waiting)
drain(later)
flush(now)

local more = 0
for _, sources in ipairs({ waiting, later }) do
  for _, source in ipairs(sources) do
    more = math.max(more, call('EXISTS', source.key))
  end
end
return { limit - left, more }
