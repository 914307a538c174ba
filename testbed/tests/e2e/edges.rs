//! The collector's edges: who may post, and what a hostile sender can do to it. All on the real process.

mod bombs;
mod certificates;
mod floods;
mod injection;
mod secrets;
mod slow;

use std::sync::Arc;

use libtest_mimic::Trial;
use tributary_testbed::stack::Bed;

use crate::harness::trials;
use bombs::bombs_are_refused_and_cost_no_memory;
use certificates::{
    kafka_that_is_not_verified_shows, posts_need_a_client_certificate_that_is_admitted, public_address_needs_a_wall,
};
use floods::floods_of_frames_keep_nobody_waiting;
use injection::{no_field_makes_a_second_line_or_event, no_traffic_chooses_a_topic_or_a_file};
use secrets::{no_refused_setting_shows_a_secret, no_secret_of_the_collector_is_shown};
use slow::slow_clients_keep_nobody_waiting;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "edges":
        posts_need_a_client_certificate_that_is_admitted,
        public_address_needs_a_wall,
        kafka_that_is_not_verified_shows,
        bombs_are_refused_and_cost_no_memory,
        slow_clients_keep_nobody_waiting,
        floods_of_frames_keep_nobody_waiting,
        no_field_makes_a_second_line_or_event,
        no_traffic_chooses_a_topic_or_a_file,
        no_secret_of_the_collector_is_shown,
        no_refused_setting_shows_a_secret,
    )
}
