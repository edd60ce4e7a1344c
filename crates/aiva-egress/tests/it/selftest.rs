//! The whole corpus in every form: no bypass, no false block, and a guard with a hole is found out.

use aiva_egress::selftest::{Form, Plan, case};
use aiva_outbound::Policy;

fn plan(forms: &[Form]) -> Plan {
    Plan { cases: case::read(case::SHIPPED).unwrap(), forms: forms.to_vec(), tier: None, role: None }
}

#[tokio::test]
async fn every_form_judges_the_corpus_as_it_says() {
    for (form, at_least) in [(Form::Engine, 580), (Form::Proxy, 600), (Form::Library, 580), (Form::Api, 580)] {
        let report = plan(&[form]).run(&|_| {}).await.unwrap();
        let (_, tally) = report.forms.first().unwrap();
        let failures: Vec<String> = tally.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}: {failures:#?}", form.name());
        assert!(tally.passed >= at_least, "{}: only {} cases were asked", form.name(), tally.passed);
    }
}

#[tokio::test]
async fn a_role_with_a_hole_is_found_out() {
    let mut holed = Policy::public();
    holed.allow_blocks.push("10.0.0.0/8".parse().unwrap());
    for (role, holds) in [(Policy::public(), true), (holed, false)] {
        for form in Form::ALL {
            let report = Plan { role: Some(role.clone()), ..plan(&[form]) }.run(&|_| {}).await.unwrap();
            assert_eq!(report.holds(), holds, "{}: {report}", form.name());
        }
    }
}
