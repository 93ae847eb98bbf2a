-- rank: where a page of a sorted set begins.
-- needs: core order
--
-- A page begins after (score, member), whether or not that member is still there: its
-- rank is found by bisection.

local function is_seen(member, score, seen_score, seen_member, newest_first)
  if score ~= seen_score then
    return (score < seen_score) ~= newest_first
  end
  return member == seen_member or bytes_before(member, seen_member) ~= newest_first
end

local function rank_after(key, seen_score, seen_member, newest_first)
  local range = newest_first and 'ZREVRANGE' or 'ZRANGE'
  local low, high = 0, seen_member and call('ZCARD', key) or 0
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = call(range, key, middle, middle, 'WITHSCORES')
    if is_seen(at[1], tonumber(at[2]), seen_score, seen_member, newest_first) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end
