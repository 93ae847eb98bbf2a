-- now: the store's time.
-- needs: core
--
-- ARGV   now
-- Reply  ms since the epoch

return open(false)
