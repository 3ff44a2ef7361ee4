//! The rehearsal: a whole run on one computer, watched from outside.
//!
//! A source with real data is made, clients write to it through its DNS name, the state machine upgrades it, and at
//! the end it is shown what became of every acknowledged write, every table, every sequence and every object of the
//! schema. What is reported was seen in the databases and by the clients; no step is asked how it went.

mod browser;
pub mod bulk;
mod cast;
pub mod catalog;
pub mod cli;
pub mod clients;
pub mod compare;
pub mod connect;
mod deeds;
pub mod disturbance;
pub mod dump;
mod evidence;
pub mod fail_back;
pub mod fixture;
pub mod follow;
mod functions;
mod input;
pub mod inventory;
mod judge;
pub mod leaks;
pub mod matrix;
pub mod names;
pub mod news;
pub mod observer;
pub mod person;
pub mod place;
pub mod process;
pub mod promise;
pub mod proof;
pub mod propagation;
mod rates;
pub mod report;
mod rest;
pub mod run;
pub mod said;
pub mod scenario;
pub mod scenarios;
pub mod screen;
mod show;
pub mod stage;
mod survey;
pub mod texts;
pub mod trouble;
