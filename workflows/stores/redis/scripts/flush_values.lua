-- flush_values: remove all values of a space.
-- needs: core value
--
-- ARGV   now, space
-- Reply  1

open(false)
call('UNLINK', values_key(args[2]), deadlines_key(args[2]), owners_key(args[2]))
return 1
