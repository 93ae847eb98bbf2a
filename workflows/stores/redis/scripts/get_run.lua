-- get_run: one run.
-- needs: core look show
--
-- ARGV   now, workflow, run or nil, first run or nil
-- Reply  the run (lib/show.lua), or nil

look()
local workflow, id, first = unpack(args, 2, 4)
id = id or call('HGET', prefix .. 'current', workflow)
local of, chain = unpack(call('HMGET', prefix .. 'run:' .. (id or ''), 'workflow', 'first'))

if not id or of ~= workflow or first and first ~= (chain or id) then
  return false
end
return show_run(id)
