//! One signature by the bare equation of ZIP-215, as in format.md section 2.

use ed25519_zebra::{Signature, VerificationKey};

/// Whether the signature holds: cofactored, any encoding of A and R that decompresses, S canonical.
///
/// Those who accept new bytes ask for canonical encodings on top: [`super::verify_strict`].
pub fn verify_zip215(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerificationKey::try_from(*key)
        .is_ok_and(|key| key.verify(&Signature::from(*signature), message).is_ok())
}
