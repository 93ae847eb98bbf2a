-- look: how scripts begin that only read.
-- needs: core

-- For scripts that only read: they write nothing, not even the clock.
local function look()
  check_namespace(unpack(call('HMGET', prefix .. 'meta', 'format', 'mode')))
end
