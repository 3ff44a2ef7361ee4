-- A list of constants, as IN has it, is a constant.
(NOT EXISTS (SELECT FROM regexp_matches(regexp_replace({expression}::text, '\{ARRAY(EXPR)? [^{}()]*:elements \((\{CONST [^{}]*\} ?)+\) [^{}]*\}', '', 'g'),
                                        '\{([A-Z]+)', 'g') AS node (tag) WHERE node.tag[1] <> ALL ({nodes}))
 AND NOT EXISTS (SELECT FROM regexp_matches({expression}::text, ':funcid (\d+) ', 'g') AS call (oid)
                 JOIN pg_proc p ON p.oid = call.oid[1]::oid WHERE NOT p.proisstrict)
 AND NOT EXISTS (SELECT FROM regexp_matches({expression}::text, ':opno (\d+) ', 'g') AS call (oid)
                 JOIN pg_operator o ON o.oid = call.oid[1]::oid JOIN pg_proc p ON p.oid = o.oprcode WHERE NOT p.proisstrict))
