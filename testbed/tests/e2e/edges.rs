//! The collector's edges: who may post, and what a hostile sender can do to it. All on the real process.

mod certificates;

use std::sync::Arc;

use libtest_mimic::Trial;
use tributary_testbed::stack::Bed;

use crate::harness::trials;
use certificates::{posts_need_a_client_certificate_that_is_admitted, public_address_needs_a_wall};

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "edges":
        posts_need_a_client_certificate_that_is_admitted,
        public_address_needs_a_wall,
    )
}
