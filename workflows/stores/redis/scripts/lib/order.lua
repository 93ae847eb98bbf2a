-- order: strings compared as the server compares members of a sorted set.
-- needs: core

-- Strings in the order of their bytes; Lua's own comparison depends on the locale.
local function bytes_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end
