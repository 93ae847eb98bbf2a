-- list_runs: a page of runs, newest start first.
-- needs: core order look rank show
--
-- ARGV   now, limit, status, type, workflow, parent run (or nil each), start and id of the
--        last run seen, or nil
-- Reply  {runs (lib/show.lua), {start, id} of the last one looked at if more may come}
--
-- The most exact index is read, at most MAX_STEP runs of it, and what does not match is
-- left out.

look()
local limit, status, type, workflow, parent, seen_start, seen_id = unpack(args, 2, 8)
local STATUSES = { 'running', 'completed', 'failed', 'canceled', 'terminated',
  'continued_as_new', 'timed_out' }

local function indexes()
  if parent then
    return { prefix .. 'children:' .. parent }
  elseif workflow then
    return { prefix .. 'chain:' .. workflow }
  end
  local keys = {}
  for i, each in ipairs(status and { status } or STATUSES) do
    keys[i] = prefix .. 'runs:' .. each
  end
  return keys
end

local function newer(a, b)
  if a[1] ~= b[1] then
    return a[1] > b[1]
  end
  return bytes_before(b[2], a[2])
end

-- The next runs in the order of the list: {start, id}, one more than MAX_STEP at most.
local function candidates()
  local found = {}
  for _, key in ipairs(indexes()) do
    local rank = rank_after(key, seen_start, seen_id, true)
    local page = call('ZREVRANGE', key, rank, rank + MAX_STEP, 'WITHSCORES')
    for i = 1, #page, 2 do
      found[#found + 1] = { tonumber(page[i + 1]), page[i] }
    end
  end
  local only = workflow and not parent and call('HGET', prefix .. 'current', workflow)
  if only and #found == 0 and not seen_id then -- one run of a workflow id has no chain
    local started = tonumber(call('HGET', prefix .. 'run:' .. only, 'started'))
    found[1] = { started, only }
  end
  table.sort(found, newer)
  return found
end

local function matches(id)
  local is = call('HMGET', prefix .. 'run:' .. id, 'status', 'type', 'workflow', 'parent')
  return (not status or is[1] == status) and (not type or is[2] == type)
    and (not workflow or is[3] == workflow) and (not parent or is[4] == parent)
end

local found, runs, last = candidates(), {}, nil
for i = 1, math.min(#found, MAX_STEP) do
  if #runs == limit then
    break
  end
  last = i
  if matches(found[i][2]) then
    runs[#runs + 1] = show_run(found[i][2])
  end
end
local more = last and last < #found
return { runs, more and { string.format('%d', found[last][1]), found[last][2] } or false }
