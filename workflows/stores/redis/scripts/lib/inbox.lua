-- inbox: what happened to a run and is not in its history yet.
-- needs: core batch run task
--
-- An entry is {kind, data}; in the list inbox:<run> it is "<time> <length of kind> <kind>
-- <data>" with no space before the data. Its number is its distance from the newest one,
-- whose number is `seq` of the run: entries leave at the head only.

local function inbox_key(run)
  return prefix .. 'inbox:' .. run.id
end

local function kind_of(item)
  local size, rest = item:match('^%d+ (%d+) (.*)$')
  return rest:sub(1, size)
end

-- Whether as many wait as an entry of a client, {kind, data, limit or nil}, allows.
function runs.is_full(run, entry)
  return entry[3] and call('LLEN', inbox_key(run)) >= entry[3]
end

-- Append an entry for an open run; its task is not looked at. Of cancel requests it
-- takes one. Returns whether it was taken.
function runs.add(run, entry, now)
  local kind, data = entry[1], entry[2]
  if kind == 'cancel' then
    if run.cancel then
      return false
    end
    runs.change(run, 'cancel', 1)
  end
  local at = string.format('%d', now)
  call('RPUSH', inbox_key(run), at .. ' ' .. #kind .. ' ' .. kind .. data)
  runs.change(run, 'seq', (tonumber(run.seq) or 0) + 1)
  return true
end

-- Append an entry and ensure the task; whether there is such an open run.
function runs.receive(run, entry, now)
  if not runs.is_open(run) then
    return false
  end
  if runs.add(run, entry, now) then
    runs.ensure_task(run, now)
  end
  return true
end

function runs.has_inbox(run)
  return call('EXISTS', inbox_key(run)) == 1
end

-- How many of the entries at the head have numbers up to `taken`.
local function seen(run, taken, length)
  return math.max(0, taken - ((tonumber(run.seq) or 0) - length))
end

-- Remove entries up to a number: they are in the history now.
function runs.take(run, taken)
  if taken > 0 then
    local n = seen(run, taken, call('LLEN', inbox_key(run)))
    if n > 0 then
      call('LTRIM', inbox_key(run), n, -1)
    end
  end
end

-- Whether closing drops entries beyond `taken`; if they are carried on: other than signals.
function runs.would_drop(run, taken, carry)
  local length = call('LLEN', inbox_key(run))
  local n = seen(run, taken, length)
  if not carry or length <= n then
    return length > n
  end
  for _, item in ipairs(call('LRANGE', inbox_key(run), n, -1)) do
    if kind_of(item) ~= 'signal' then
      return true
    end
  end
  return false
end

-- Move the signals to another run, in order and with their times.
function runs.carry(run, to)
  for _, item in ipairs(call('LRANGE', inbox_key(run), 0, -1)) do
    if kind_of(item) == 'signal' then
      call('RPUSH', inbox_key(to), item)
      runs.change(to, 'seq', (tonumber(to.seq) or 0) + 1)
    end
  end
end

function runs.empty(run)
  call('DEL', inbox_key(run))
end
