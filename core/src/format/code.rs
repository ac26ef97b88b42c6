//! Every code there is (format.md section 11).

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// A code of format.md section 11: 1 to 63 refuse an attempt, 0 and 64 up are results.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $text] $name = $value,)*
        }

        impl Code {
            /// All codes, ascending.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code with this number.
            pub fn from_u16(value: u16) -> Option<Self> {
                match value {
                    $($value => Some(Code::$name),)*
                    _ => None,
                }
            }

            /// The name by which documents and clients know it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    Ok = 0, "OK";
    Malformed = 1, "MALFORMED";
    WrongLedger = 2, "WRONG_LEDGER";
    BadRoot = 3, "BAD_ROOT";
    BadSignature = 4, "BAD_SIGNATURE";
    BadKey = 5, "BAD_KEY";
    BadPossession = 6, "BAD_POSSESSION";
    BadIdTime = 7, "BAD_ID_TIME";
    IdInFuture = 8, "ID_IN_FUTURE";
    UnknownSigner = 9, "UNKNOWN_SIGNER";
    TooLate = 10, "TOO_LATE";
    Overloaded = 11, "OVERLOADED";
    NotLeader = 12, "NOT_LEADER";
    TooLarge = 13, "TOO_LARGE";
    Unavailable = 14, "UNAVAILABLE";
    Duplicate = 64, "DUPLICATE";
    IdConflict = 65, "ID_CONFLICT";
    Expired = 66, "EXPIRED";
    UnknownKey = 67, "UNKNOWN_KEY";
    AtomicAborted = 68, "ATOMIC_ABORTED";
    UnknownKind = 70, "UNKNOWN_KIND";
    UnknownFlags = 71, "UNKNOWN_FLAGS";
    ReservedNonzero = 72, "RESERVED_NONZERO";
    ContNotAllowed = 73, "CONT_NOT_ALLOWED";
    BadField = 74, "BAD_FIELD";
    ZeroAmount = 75, "ZERO_AMOUNT";
    SelfTransfer = 76, "SELF_TRANSFER";
    KeyRevoked = 80, "KEY_REVOKED";
    KeyExpired = 81, "KEY_EXPIRED";
    ScopeDenied = 82, "SCOPE_DENIED";
    ReferenceUsed = 83, "REFERENCE_USED";
    NotPayee = 84, "NOT_PAYEE";
    PrincipalMismatch = 85, "PRINCIPAL_MISMATCH";
    NotPayer = 86, "NOT_PAYER";
    RecoveryPending = 87, "RECOVERY_PENDING";
    NotSponsor = 88, "NOT_SPONSOR";
    RecoveryNotFound = 89, "RECOVERY_NOT_FOUND";
    DebitNotFound = 90, "DEBIT_NOT_FOUND";
    CreditNotFound = 91, "CREDIT_NOT_FOUND";
    UnitNotFound = 92, "UNIT_NOT_FOUND";
    HoldNotFound = 93, "HOLD_NOT_FOUND";
    PrincipalNotFound = 94, "PRINCIPAL_NOT_FOUND";
    KeyNotFound = 95, "KEY_NOT_FOUND";
    AccountNotFound = 96, "ACCOUNT_NOT_FOUND";
    CardNotFound = 97, "CARD_NOT_FOUND";
    ChannelNotFound = 98, "CHANNEL_NOT_FOUND";
    CitedNotFound = 99, "CITED_NOT_FOUND";
    KeyExists = 100, "KEY_EXISTS";
    NameExists = 101, "NAME_EXISTS";
    UnitExists = 102, "UNIT_EXISTS";
    RelationExists = 103, "RELATION_EXISTS";
    MandateNotFound = 104, "MANDATE_NOT_FOUND";
    QuoteNotFound = 105, "QUOTE_NOT_FOUND";
    MandateEnded = 106, "MANDATE_ENDED";
    QuoteExpired = 107, "QUOTE_EXPIRED";
    MandateExceeded = 108, "MANDATE_EXCEEDED";
    BadQuote = 109, "BAD_QUOTE";
    AccountFrozen = 110, "ACCOUNT_FROZEN";
    AccountClosed = 111, "ACCOUNT_CLOSED";
    UnitMismatch = 112, "UNIT_MISMATCH";
    IssuanceAccount = 113, "ISSUANCE_ACCOUNT";
    AccountNotEmpty = 114, "ACCOUNT_NOT_EMPTY";
    AccountState = 115, "ACCOUNT_STATE";
    LastOwnerKey = 116, "LAST_OWNER_KEY";
    KeyState = 117, "KEY_STATE";
    GrantAccount = 118, "GRANT_ACCOUNT";
    HoldExpired = 120, "HOLD_EXPIRED";
    HoldEnded = 121, "HOLD_ENDED";
    CaptureLowered = 122, "CAPTURE_LOWERED";
    CaptureExceedsHold = 123, "CAPTURE_EXCEEDS_HOLD";
    ExpiryInvalid = 124, "EXPIRY_INVALID";
    ChannelEnded = 125, "CHANNEL_ENDED";
    VoucherLowered = 126, "VOUCHER_LOWERED";
    ChannelExhausted = 127, "CHANNEL_EXHAUSTED";
    BadVoucher = 128, "BAD_VOUCHER";
    ChannelClosing = 129, "CHANNEL_CLOSING";
    NameNotFound = 130, "NAME_NOT_FOUND";
    CardState = 131, "CARD_STATE";
    LineCountMismatch = 132, "LINE_COUNT_MISMATCH";
    LinesRootMismatch = 133, "LINES_ROOT_MISMATCH";
    LinesOverlap = 134, "LINES_OVERLAP";
    NoticeTooShort = 135, "NOTICE_TOO_SHORT";
    NotProvider = 136, "NOT_PROVIDER";
    CardNotEffective = 137, "CARD_NOT_EFFECTIVE";
    HoldMode = 138, "HOLD_MODE";
    PriceNotAgreed = 139, "PRICE_NOT_AGREED";
    LimitExceeded = 140, "LIMIT_EXCEEDED";
    CapExceeded = 141, "CAP_EXCEEDED";
    Unpriced = 142, "UNPRICED";
    PriceMismatch = 143, "PRICE_MISMATCH";
    QuoteExceeded = 144, "QUOTE_EXCEEDED";
    ZoneHorizon = 145, "ZONE_HORIZON";
    ZoneNotFound = 146, "ZONE_NOT_FOUND";
    ZoneState = 147, "ZONE_STATE";
    LimitWidened = 148, "LIMIT_WIDENED";
    DelegationInvalid = 149, "DELEGATION_INVALID";
    InsufficientFunds = 150, "INSUFFICIENT_FUNDS";
    FundsHeld = 151, "FUNDS_HELD";
    AmountOverflow = 152, "AMOUNT_OVERFLOW";
    CreditInUse = 153, "CREDIT_IN_USE";
    ClaimNotFound = 154, "CLAIM_NOT_FOUND";
    ClaimOpen = 155, "CLAIM_OPEN";
    ClaimEnded = 156, "CLAIM_ENDED";
    ClaimExceeds = 157, "CLAIM_EXCEEDS";
    CitedNotPriced = 158, "CITED_NOT_PRICED";
    PriceNotLower = 159, "PRICE_NOT_LOWER";
    CorrectionExceeds = 160, "CORRECTION_EXCEEDS";
    CorrectionTooLate = 161, "CORRECTION_TOO_LATE";
    DisputeNotFound = 162, "DISPUTE_NOT_FOUND";
    DisputeOpen = 163, "DISPUTE_OPEN";
    DisputeAnswered = 164, "DISPUTE_ANSWERED";
    DisputeLapsed = 165, "DISPUTE_LAPSED";
    AnswerExceeds = 166, "ANSWER_EXCEEDS";
    CitationsFull = 167, "CITATIONS_FULL";
    MakerCannotPay = 168, "MAKER_CANNOT_PAY";
    GrantNotFound = 170, "GRANT_NOT_FOUND";
    ListNotFound = 171, "LIST_NOT_FOUND";
    GrantEnded = 172, "GRANT_ENDED";
    DoubleSubsidy = 173, "DOUBLE_SUBSIDY";
    SelfDeclared = 174, "SELF_DECLARED";
    RelationNotFound = 175, "RELATION_NOT_FOUND";
    UnitDeferred = 180, "UNIT_DEFERRED";
    UnitNotDeferred = 181, "UNIT_NOT_DEFERRED";
    NotAMember = 182, "NOT_A_MEMBER";
    WindowState = 183, "WINDOW_STATE";
    PositionsMismatch = 184, "POSITIONS_MISMATCH";
    MemberCanPay = 185, "MEMBER_CAN_PAY";
    MemberFailed = 186, "MEMBER_FAILED";
    SettlementTaken = 187, "SETTLEMENT_TAKEN";
}

impl Code {
    /// Its number.
    #[inline]
    pub fn value(self) -> u16 {
        self as u16
    }

    /// Whether it refuses an attempt before ordering; such codes never stand in the ledger.
    pub fn is_refusal(self) -> bool {
        (1..64).contains(&self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_ascend_and_round_trip() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        for &code in Code::ALL {
            assert_eq!(Code::from_u16(code.value()), Some(code));
        }
        assert_eq!(
            (0..=u16::MAX).filter_map(Code::from_u16).count(),
            Code::ALL.len()
        );
    }

    #[test]
    fn refusals_are_below_64() {
        assert!(!Code::Ok.is_refusal());
        assert!(Code::Unavailable.is_refusal());
        assert!(!Code::Duplicate.is_refusal());
    }
}
