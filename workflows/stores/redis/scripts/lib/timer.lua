-- timer: entries that come into an inbox when they are due.
-- needs: core batch run inbox task
--
-- timers       all timers by due time: run id, NUL, key (so they are in that order)
-- timer:<run>  key to the entry: "<length of kind> <kind><data>"

local timers = prefix .. 'timers'

local function timer_key(id)
  return prefix .. 'timer:' .. id
end

-- Timers are {key, due_at, kind, data}.
function runs.set_timers(run, list)
  for _, timer in ipairs(list) do
    local key, due, kind, data = unpack(timer, 1, 4)
    call('HSET', timer_key(run.id), key, #kind .. ' ' .. kind .. data)
    call('ZADD', timers, due, run.id .. '\0' .. key)
  end
end

function runs.cancel_timers(run, keys)
  for _, key in ipairs(keys) do
    if call('HDEL', timer_key(run.id), key) == 1 then
      call('ZREM', timers, run.id .. '\0' .. key)
    end
  end
end

function runs.cancel_all_timers(run)
  runs.cancel_timers(run, call('HKEYS', timer_key(run.id)))
end

-- Fire due timers, in order of (due time, run, key). Returns how many.
function runs.fire(due, now)
  local fired = {}
  for _, member in ipairs(due) do
    local zero = member:find('\0', 1, true)
    local id, key = member:sub(1, zero - 1), member:sub(zero + 1)
    local run, entry = runs.get(id), call('HGET', timer_key(id), key)
    local size, rest = entry:match('^(%d+) (.*)$')
    runs.add(run, { rest:sub(1, size), rest:sub(size + 1) }, now)
    call('HDEL', timer_key(id), key)
    call('ZREM', timers, member)
    fired[id] = run
  end
  for _, run in pairs(fired) do
    runs.ensure_task(run, now)
  end
  return #due
end
