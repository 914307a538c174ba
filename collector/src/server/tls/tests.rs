use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};

use super::*;

/// A folder with an authority of clients, and a server's certificate of its own.
struct Rig {
    folder: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
}

impl Rig {
    fn new() -> Rig {
        let rig = Rig { folder: tempfile::tempdir().expect("a folder"), authority: authority() };
        rig.renew_server();
        rig.trust(&[&rig.authority]);
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn renew_server(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        self.write("server.pem", &made.cert.pem());
        self.write("server.key", &made.signing_key.serialize_pem());
    }

    fn trust(&self, authorities: &[&Issuer<'static, KeyPair>]) {
        let pem = |authority: &&Issuer<'static, KeyPair>| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(authority.key()).expect("a certificate").pem()
        };
        self.write("clients.pem", &authorities.iter().map(pem).collect::<String>());
    }

    fn files(&self) -> TlsFiles {
        let client_ca = Some(self.path("clients.pem"));
        TlsFiles { certificate: self.path("server.pem"), key: self.path("server.key"), client_ca }
    }

    fn open(&self, admitted: &[&str]) -> Arc<Tls> {
        let admitted = admitted.iter().map(|name| name.parse().expect("a name")).collect();
        Tls::open(self.files(), admitted).expect("good files")
    }

    /// A client of the authority.
    fn client(&self, name: &str, until: i32) -> Vec<CertificateDer<'static>> {
        vec![certificate(&self.authority, name, until)]
    }
}

fn authority() -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issuer::new(params, KeyPair::generate().expect("a key"))
}

fn certificate(authority: &Issuer<'static, KeyPair>, name: &str, until: i32) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(name.try_into().expect("a URI"))];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().expect("a key");
    params.signed_by(&key, authority).expect("a certificate").der().clone()
}

const NAME: &str = "spiffe://mesh.example/envoy";

/// Past every look at files, and every verdict.
fn later(times: u32) -> Instant {
    Instant::now() + JUDGE_AGAIN_AFTER * 2 * times
}

#[test]
fn a_client_is_admitted_by_its_authority_and_its_name() {
    let rig = Rig::new();
    let (any, one) = (rig.open(&[]), rig.open(&["other.example", NAME]));
    let verdict = |tls: &Arc<Tls>, chain: Vec<_>| Client::new(Arc::clone(tls), chain).verdict(Instant::now());

    assert_eq!(verdict(&one, rig.client(NAME, 2100)), Verdict::Admitted);
    assert_eq!(verdict(&any, rig.client("spiffe://mesh.example/other", 2100)), Verdict::Admitted);
    assert_eq!(verdict(&one, rig.client("spiffe://mesh.example/other", 2100)), Verdict::Refused);
    assert_eq!(verdict(&any, rig.client(NAME, 2021)), Verdict::Refused);
    assert_eq!(verdict(&any, vec![certificate(&authority(), NAME, 2100)]), Verdict::Refused);
    assert_eq!(verdict(&any, vec![]), Verdict::Missing);
}

#[test]
fn a_connection_that_lasts_is_judged_by_the_authorities_of_today() {
    let rig = Rig::new();
    let tls = rig.open(&[NAME]);
    let client = Client::new(Arc::clone(&tls), rig.client(NAME, 2100));
    assert_eq!(client.verdict(Instant::now()), Verdict::Admitted);

    let successor = authority();
    rig.trust(&[&rig.authority, &successor]);
    assert_eq!(client.verdict(later(1)), Verdict::Admitted);
    rig.trust(&[&successor]);

    assert_eq!(client.verdict(later(2)), Verdict::Refused);
    let of_successor = Client::new(tls, vec![certificate(&successor, NAME, 2100)]);
    assert_eq!(of_successor.verdict(later(2)), Verdict::Admitted);
}

#[test]
fn renewed_files_come_into_force_and_broken_ones_do_not() {
    let rig = Rig::new();
    let tls = rig.open(&[]);
    let generation = |now| tls.refreshed(now).generation;
    assert_eq!((generation(later(1)), tls.refreshed(later(1)).failure.clone()), (0, None));

    rig.renew_server();
    assert_eq!(generation(later(2)), 1);
    rig.write("server.pem", "half a certifica");

    assert_eq!(generation(later(3)), 1);
    let failure = tls.refreshed(later(3)).failure.clone().expect("a reason");
    assert!(failure.ends_with("server.pem holds no certificate in PEM form"), "{failure}");
    rig.renew_server();
    assert_eq!((generation(later(4)), tls.refreshed(later(4)).failure.clone()), (2, None));
}

#[test]
fn files_that_cannot_be_used_are_refused() {
    let rig = Rig::new();
    let two = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    rig.write("two.key", &two.signing_key.serialize_pem());
    rig.write("empty", "");
    rig.write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

    let refused = |certificate: &str, key: &str, authorities: Option<&str>| {
        let client_ca = authorities.map(|name| rig.path(name));
        let files = TlsFiles { certificate: rig.path(certificate), key: rig.path(key), client_ca };
        Tls::open(files, Vec::new()).map(drop).map_err(|error| error.to_string())
    };
    let error = |certificate, key, authorities| refused(certificate, key, authorities).expect_err("unusable");

    assert!(error("missing", "server.key", None).starts_with("read certificates from "));
    assert!(error("empty", "server.key", None).ends_with("holds no certificate in PEM form"));
    assert!(error("server.pem", "empty", None).starts_with("read a private key from "));
    assert_eq!(error("server.pem", "two.key", None), "certificate and key cannot be used together");
    assert!(error("server.pem", "server.key", Some("missing")).starts_with("read certificates from "));
    assert!(error("server.pem", "server.key", Some("empty")).ends_with("holds no certificate in PEM form"));
    let no_authority = error("server.pem", "server.key", Some("broken"));
    assert!(no_authority.ends_with("a certificate that no client can be checked against"), "{no_authority}");
    assert_eq!(refused("server.pem", "server.key", None), Ok(()));
    assert_eq!(refused("server.pem", "server.key", Some("clients.pem")), Ok(()));
}
