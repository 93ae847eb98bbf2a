-- list_jobs: a page of the jobs of a queue in one state.
-- needs: core order look heads rank
--
-- ARGV   now, queue, state, limit, score and member of the last job seen, or nil
-- Reply  {jobs, whether more follow}; a job is {id, {field, value, ...}, score, member}

look()
local queue, state, limit, seen_score, seen_member = unpack(args, 2, 6)
local newest_first = state ~= 'waiting' and state ~= 'delayed' and state ~= 'active'
local range = newest_first and 'ZREVRANGE' or 'ZRANGE'

local function rank_after_seen(key)
  return rank_after(key, seen_score, seen_member, newest_first)
end

local jobs = {}

local function add(id, score, member)
  jobs[#jobs + 1] = { id, call('HGETALL', job_key(id)), score, member }
end

-- The sets of pending jobs, by type.
local function pending_keys(type)
  if state == 'delayed' then
    return { delayed_key(queue, type) }
  end
  return { waiting_key(queue, type), suspect_key(queue, type) }
end

if state == 'waiting' or state == 'delayed' then
  local sources = {}
  for _, type in ipairs(call('SMEMBERS', prefix .. 'types:' .. queue)) do
    for _, key in ipairs(pending_keys(type)) do
      sources[#sources + 1] = new_source(key, type, false, rank_after_seen(key))
    end
  end
  local chunk = #sources > 2 and 20 or limit + 1
  local source = first_source(sources, chunk, true)
  while source and #jobs < limit do
    local member = source.batch[source.at]
    local id, score = take(source)
    add(id, score, member)
    source = first_source(sources, chunk, true)
  end
  return { jobs, source and 1 or 0 }
end

local key = state_key(state, queue)
local rank = rank_after_seen(key)
local page = call(range, key, rank, rank + limit, 'WITHSCORES')
for i = 1, math.min(#page, 2 * limit), 2 do
  add(page[i], page[i + 1], page[i])
end
return { jobs, #page > 2 * limit and 1 or 0 }
