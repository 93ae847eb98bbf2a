-- once: calls that act once, though a connection may send them again.
-- needs: core
--
-- once:<call>  what a call answered: its reply may have been lost on the way

local CALL_MEMORY_MS = 60 * 1000 -- it is sent again at once, or never

-- What this call answered when it was sent before, in a table; or nil.
local function answered(id, now)
  local kept = recall(prefix .. 'once:' .. id, now)
  return kept and { (cmsgpack.unpack(kept)) }
end

-- Keep the answer of a call, and return it.
local function answer(id, reply, now)
  remember(prefix .. 'once:' .. id, cmsgpack.pack(reply), now, CALL_MEMORY_MS)
  return reply
end
