-- count_runs: how many runs are kept, by status.
-- needs: core look
--
-- ARGV   now, statuses
-- Reply  a number per status

look()
local counts = {}
for i, status in ipairs(args[2]) do
  counts[i] = call('ZCARD', prefix .. 'runs:' .. status)
end
return counts
