({is_null_of_null}
 AND {expression}::text !~ ':boolop or |:boolop not :args \(\{(BOOLEXPR|NULLTEST)'
 -- A test inside of another expression, as in (a IS NOT NULL) = b.
 AND replace({expression}::text, ' :varnullingrels (b)', '') !~ ':inputcollid \d+ :args \((\{[^()]*\} )?\{NULLTEST'
 AND regexp_replace({expression}::text, '\{NULLTEST :arg \{VAR [^{}]*\} :nulltesttype 0', '', 'g') !~ ':nulltesttype 0'
 AND NOT EXISTS (SELECT FROM regexp_matches({expression}::text, '\{NULLTEST :arg \{VAR :varno 1 :varattno (\d+) [^{}]*\} :nulltesttype 0', 'g') AS test (number)
                 WHERE test.number[1]::int = ANY ({columns})))
