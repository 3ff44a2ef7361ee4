//! The search path of DMS's sessions.
//!
//! A row that DMS writes may call functions: of generated columns, of indexes that stay. They look names up by the search path
//! of whoever writes, which is the applications' everywhere else.

use pgleap_pg::{Session, ident, search_path};
use pgleap_step_kit::StepResult;

/// Give the copy login the applications' search path in the target's database. It sets its own default: from 16 on nobody else
/// but a superuser may, where an older server made the login.
pub async fn give(dms: &Session, owner: &Session) -> StepResult<()> {
    let path = search_path::of_applications(owner).await?;
    if path.is_default() {
        return Ok(());
    }
    let doing = "set the search path of the copy login";
    let row = dms.row(doing, "SELECT current_user::text, current_database()::text", &[]).await?;
    let (role, database): (String, String) = (row.get(0), row.get(1));
    let sql = format!("ALTER ROLE {} IN DATABASE {} SET search_path = {}", ident(&role), ident(&database), path.sql());
    Ok(dms.run(doing, &sql).await?)
}
