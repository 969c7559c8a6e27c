-- proof_exists - whether the tables of the proofs are there, all. On the source.
SELECT to_regclass('bucardo.machine_proof_states') IS NOT NULL
AND to_regclass('bucardo.machine_differences') IS NOT NULL
AND to_regclass('bucardo.machine_proof_marks') IS NOT NULL
