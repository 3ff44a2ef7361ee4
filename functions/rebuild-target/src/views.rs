//! Which materialized views are refreshed under the fence: those that were measured to fit. The others follow after OPEN.

use pgleap_pg::Session;
use pgleap_step_kit::StepResult;

/// What all refreshes under the fence may take, in milliseconds, by their measured times: every client waits as long.
const BUDGET_MS: i64 = 500;

/// A materialized view as it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
struct View {
    object: String,
    /// Above those that it reads.
    level: i32,
    /// Materialized views that it reads.
    needs: Vec<String>,
    milliseconds: i64,
}

/// Choose, and write the choice down. Safe to repeat: an earlier choice is replaced.
pub(crate) async fn choose(target: &Session) -> StepResult<()> {
    let sql = "SELECT v.object, v.level, v.needs, c.milliseconds FROM pgleap.view v
               JOIN pgleap.chore c ON c.object = v.object AND c.phase = 'rebuild' AND c.milliseconds IS NOT NULL";
    let measured = target.rows("read how long views take", sql, &[]).await?;
    let views = measured.iter().map(|row| View {
        object: row.get(0),
        level: row.get(1),
        needs: row.get(2),
        milliseconds: row.get(3),
    });
    let chosen = decide(views.collect(), BUDGET_MS);
    let sql = "
        WITH replaced AS (DELETE FROM pgleap.chore WHERE phase = 'refresh' AND done_at IS NULL AND object <> ALL ($1::text[]))
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'refresh', v.level, v.object, c.statements || format(
            'UPDATE pgleap.chore SET done_at = clock_timestamp() WHERE phase = ''settle'' AND object = %L', v.object)
        FROM pgleap.view v JOIN pgleap.chore c ON c.object = v.object AND c.phase = 'rebuild'
        WHERE v.object = ANY ($1::text[])
          AND NOT EXISTS (SELECT FROM pgleap.chore r WHERE r.phase = 'refresh' AND r.object = v.object)";
    target.rows("choose views to refresh under the fence", sql, &[&chosen]).await?;
    Ok(())
}

/// As many as fit, quick ones first; a view only together with all that it reads.
fn decide(mut views: Vec<View>, budget_ms: i64) -> Vec<String> {
    views.sort_by_key(|view| (view.level, view.milliseconds));
    let mut left = budget_ms;
    let mut chosen: Vec<String> = Vec::new();
    for view in views {
        let complete = view.needs.iter().all(|need| chosen.contains(need));
        if complete && view.milliseconds <= left {
            left -= view.milliseconds;
            chosen.push(view.object);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(object: &str, level: i32, needs: &[&str], milliseconds: i64) -> View {
        View {
            object: object.to_owned(),
            level,
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            milliseconds,
        }
    }

    #[test]
    fn views_are_chosen_while_they_fit() {
        let cases: [(&str, Vec<View>, &[&str]); 5] = [
            ("none", vec![], &[]),
            ("all fit", vec![view("b", 1, &["a"], 400), view("a", 0, &[], 600)], &["a", "b"]),
            ("the quick one first", vec![view("slow", 0, &[], 900), view("quick", 0, &[], 200)], &["quick"]),
            ("not without what it reads", vec![view("a", 0, &[], 1_001), view("b", 1, &["a"], 1)], &[]),
            (
                "a lower one goes before a quicker higher one",
                vec![view("b", 1, &["a"], 10), view("a", 0, &[], 995)],
                &["a"],
            ),
        ];
        for (what, views, chosen) in cases {
            assert_eq!(decide(views, 1_000), chosen, "{what}");
        }
    }
}
