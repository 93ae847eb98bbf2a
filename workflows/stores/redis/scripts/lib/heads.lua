-- heads: the waiting jobs of a queue over several types, in order of (priority, place).
-- needs: core order
--
-- Each source is one sorted set, read in chunks from a rank on; nothing is written.

local function new_source(key, type, suspect, rank)
  return { key = key, type = type, suspect = suspect, rank = rank, taken = 0, at = 1, batch = {} }
end

-- Fill a source's batch if it is used up; false if the set has no more.
local function has_head(source, chunk)
  if source.at <= #source.batch then
    return true
  end
  if source.empty then
    return false
  end
  local first = source.rank + source.taken
  source.batch = call('ZRANGE', source.key, first, first + chunk - 1, 'WITHSCORES')
  source.at = 1
  source.empty = #source.batch < 2 * chunk
  return #source.batch > 0
end

local function before(a, b)
  local x, y = tonumber(a.batch[a.at + 1]), tonumber(b.batch[b.at + 1])
  if x ~= y then
    return x < y
  end
  return bytes_before(a.batch[a.at], b.batch[b.at])
end

-- The source with the first job of all; suspects only if `suspects`, and what limits bind
-- not if `exempt`.
local function first_source(sources, chunk, suspects, exempt)
  local best
  for _, source in ipairs(sources) do
    if (suspects or not source.suspect) and (source.exempt or not exempt)
      and has_head(source, chunk) then
      if not best or before(source, best) then
        best = source
      end
    end
  end
  return best
end

-- Whether the engine owns the jobs of a source: those of a type are of one kind.
local function is_owned(source)
  return has_head(source, 1) and call('HEXISTS', job_key(source.batch[1]:sub(17)), 'kind') == 1
end

-- Take the head of a source: job id, score.
local function take(source)
  local member, score = source.batch[source.at], source.batch[source.at + 1]
  source.at = source.at + 2
  source.taken = source.taken + 1
  return member:sub(17), score
end
