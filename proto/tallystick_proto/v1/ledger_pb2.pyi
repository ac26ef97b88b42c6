from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequest(_message.Message):
    __slots__ = ("envelopes",)
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    envelopes: bytes
    def __init__(self, envelopes: _Optional[bytes] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("outcomes", "results", "retry_after_ms", "leader")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    outcomes: bytes
    results: bytes
    retry_after_ms: int
    leader: LeaderHint
    def __init__(self, outcomes: _Optional[bytes] = ..., results: _Optional[bytes] = ..., retry_after_ms: _Optional[int] = ..., leader: _Optional[_Union[LeaderHint, _Mapping]] = ...) -> None: ...

class LeaderHint(_message.Message):
    __slots__ = ("raft_id", "address")
    RAFT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    raft_id: int
    address: str
    def __init__(self, raft_id: _Optional[int] = ..., address: _Optional[str] = ...) -> None: ...

class ReadOptions(_message.Message):
    __slots__ = ("stale", "at_least_sequence")
    STALE_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    stale: bool
    at_least_sequence: int
    def __init__(self, stale: _Optional[bool] = ..., at_least_sequence: _Optional[int] = ...) -> None: ...

class GetAccountsRequest(_message.Message):
    __slots__ = ("ids", "options")
    IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    options: ReadOptions
    def __init__(self, ids: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetAccountsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetHoldsRequest(_message.Message):
    __slots__ = ("ids", "options", "with_terms")
    IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    WITH_TERMS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    options: ReadOptions
    with_terms: bool
    def __init__(self, ids: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ..., with_terms: _Optional[bool] = ...) -> None: ...

class GetHoldsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence", "terms")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    terms: bytes
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ..., terms: _Optional[bytes] = ...) -> None: ...

class GetChannelsRequest(_message.Message):
    __slots__ = ("ids", "options")
    IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    options: ReadOptions
    def __init__(self, ids: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetChannelsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetLimitsRequest(_message.Message):
    __slots__ = ("principal", "zones", "options")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    ZONES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    principal: bytes
    zones: bytes
    options: ReadOptions
    def __init__(self, principal: _Optional[bytes] = ..., zones: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetLimitsResponse(_message.Message):
    __slots__ = ("rows", "zones", "next_sequence", "recovery")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ZONES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    zones: bytes
    next_sequence: int
    recovery: bytes
    def __init__(self, rows: _Optional[bytes] = ..., zones: _Optional[bytes] = ..., next_sequence: _Optional[int] = ..., recovery: _Optional[bytes] = ...) -> None: ...

class GetNettingRequest(_message.Message):
    __slots__ = ("unit", "account", "options")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    unit: bytes
    account: bytes
    options: ReadOptions
    def __init__(self, unit: _Optional[bytes] = ..., account: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetNettingResponse(_message.Message):
    __slots__ = ("unit", "windows", "members", "closed", "open", "pairs", "figures", "next_sequence")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    unit: bytes
    windows: bytes
    members: bytes
    closed: bytes
    open: bytes
    pairs: bytes
    figures: bytes
    next_sequence: int
    def __init__(self, unit: _Optional[bytes] = ..., windows: _Optional[bytes] = ..., members: _Optional[bytes] = ..., closed: _Optional[bytes] = ..., open: _Optional[bytes] = ..., pairs: _Optional[bytes] = ..., figures: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetCardsRequest(_message.Message):
    __slots__ = ("ids", "options")
    IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    options: ReadOptions
    def __init__(self, ids: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetCardsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class ListCardsRequest(_message.Message):
    __slots__ = ("owner", "model", "page_size", "page_token", "options")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    model: bytes
    page_size: int
    page_token: bytes
    options: ReadOptions
    def __init__(self, owner: _Optional[bytes] = ..., model: _Optional[bytes] = ..., page_size: _Optional[int] = ..., page_token: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class ListCardsResponse(_message.Message):
    __slots__ = ("rows", "page_token", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    page_token: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., page_token: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class ListPricesRequest(_message.Message):
    __slots__ = ("card", "model", "first_line", "page_size", "options")
    CARD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    card: bytes
    model: bytes
    first_line: int
    page_size: int
    options: ReadOptions
    def __init__(self, card: _Optional[bytes] = ..., model: _Optional[bytes] = ..., first_line: _Optional[int] = ..., page_size: _Optional[int] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class ListPricesResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetNamesRequest(_message.Message):
    __slots__ = ("ids", "options")
    IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    options: ReadOptions
    def __init__(self, ids: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetNamesResponse(_message.Message):
    __slots__ = ("names", "next_sequence")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    names: bytes
    next_sequence: int
    def __init__(self, names: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class ListNamesRequest(_message.Message):
    __slots__ = ("kind", "prefix", "page_size", "page_token", "options")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    kind: int
    prefix: str
    page_size: int
    page_token: bytes
    options: ReadOptions
    def __init__(self, kind: _Optional[int] = ..., prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class ListNamesResponse(_message.Message):
    __slots__ = ("names", "page_token", "next_sequence")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    names: bytes
    page_token: bytes
    next_sequence: int
    def __init__(self, names: _Optional[bytes] = ..., page_token: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetMandatesRequest(_message.Message):
    __slots__ = ("principal", "after", "limit", "options")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    principal: bytes
    after: bytes
    limit: int
    options: ReadOptions
    def __init__(self, principal: _Optional[bytes] = ..., after: _Optional[bytes] = ..., limit: _Optional[int] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetMandatesResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetClaimsRequest(_message.Message):
    __slots__ = ("principal", "after", "limit", "options")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    principal: bytes
    after: bytes
    limit: int
    options: ReadOptions
    def __init__(self, principal: _Optional[bytes] = ..., after: _Optional[bytes] = ..., limit: _Optional[int] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetClaimsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetDisputesRequest(_message.Message):
    __slots__ = ("principal", "after", "limit", "options")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    principal: bytes
    after: int
    limit: int
    options: ReadOptions
    def __init__(self, principal: _Optional[bytes] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetDisputesResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetGrantsRequest(_message.Message):
    __slots__ = ("principal", "after", "limit", "options")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    principal: bytes
    after: bytes
    limit: int
    options: ReadOptions
    def __init__(self, principal: _Optional[bytes] = ..., after: _Optional[bytes] = ..., limit: _Optional[int] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class GetGrantsResponse(_message.Message):
    __slots__ = ("rows", "next_sequence")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_sequence: int
    def __init__(self, rows: _Optional[bytes] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class GetEnvelopeRequest(_message.Message):
    __slots__ = ("sequence", "key", "options")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    key: EnvelopeKey
    options: ReadOptions
    def __init__(self, sequence: _Optional[int] = ..., key: _Optional[_Union[EnvelopeKey, _Mapping]] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ...) -> None: ...

class EnvelopeKey(_message.Message):
    __slots__ = ("envelope_id", "principal")
    ENVELOPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    envelope_id: bytes
    principal: bytes
    def __init__(self, envelope_id: _Optional[bytes] = ..., principal: _Optional[bytes] = ...) -> None: ...

class GetEnvelopeResponse(_message.Message):
    __slots__ = ("presence", "envelope", "first_sequence", "timestamp_ns", "results", "effects", "next_sequence", "code")
    class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PRESENCE_UNSPECIFIED: _ClassVar[GetEnvelopeResponse.Presence]
        FOUND: _ClassVar[GetEnvelopeResponse.Presence]
        NOT_YET: _ClassVar[GetEnvelopeResponse.Presence]
        NEVER: _ClassVar[GetEnvelopeResponse.Presence]
    PRESENCE_UNSPECIFIED: GetEnvelopeResponse.Presence
    FOUND: GetEnvelopeResponse.Presence
    NOT_YET: GetEnvelopeResponse.Presence
    NEVER: GetEnvelopeResponse.Presence
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    presence: GetEnvelopeResponse.Presence
    envelope: bytes
    first_sequence: int
    timestamp_ns: int
    results: bytes
    effects: bytes
    next_sequence: int
    code: int
    def __init__(self, presence: _Optional[_Union[GetEnvelopeResponse.Presence, str]] = ..., envelope: _Optional[bytes] = ..., first_sequence: _Optional[int] = ..., timestamp_ns: _Optional[int] = ..., results: _Optional[bytes] = ..., effects: _Optional[bytes] = ..., next_sequence: _Optional[int] = ..., code: _Optional[int] = ...) -> None: ...

class HistoryFilter(_message.Message):
    __slots__ = ("kinds", "outcome", "code", "counterparty", "since_ns", "until_ns")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[HistoryFilter.Outcome]
        EXECUTED: _ClassVar[HistoryFilter.Outcome]
        REFUSED: _ClassVar[HistoryFilter.Outcome]
    OUTCOME_UNSPECIFIED: HistoryFilter.Outcome
    EXECUTED: HistoryFilter.Outcome
    REFUSED: HistoryFilter.Outcome
    KINDS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[int]
    outcome: HistoryFilter.Outcome
    code: int
    counterparty: bytes
    since_ns: int
    until_ns: int
    def __init__(self, kinds: _Optional[_Iterable[int]] = ..., outcome: _Optional[_Union[HistoryFilter.Outcome, str]] = ..., code: _Optional[int] = ..., counterparty: _Optional[bytes] = ..., since_ns: _Optional[int] = ..., until_ns: _Optional[int] = ...) -> None: ...

class ListRecordsRequest(_message.Message):
    __slots__ = ("account", "filter", "oldest_first", "page_size", "page_token", "options", "with_conts")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    WITH_CONTS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    filter: HistoryFilter
    oldest_first: bool
    page_size: int
    page_token: bytes
    options: ReadOptions
    with_conts: bool
    def __init__(self, account: _Optional[bytes] = ..., filter: _Optional[_Union[HistoryFilter, _Mapping]] = ..., oldest_first: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[bytes] = ..., options: _Optional[_Union[ReadOptions, _Mapping]] = ..., with_conts: _Optional[bool] = ...) -> None: ...

class ListRecordsResponse(_message.Message):
    __slots__ = ("records", "effects", "page_token", "next_sequence", "conts")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTS_FIELD_NUMBER: _ClassVar[int]
    records: bytes
    effects: bytes
    page_token: bytes
    next_sequence: int
    conts: bytes
    def __init__(self, records: _Optional[bytes] = ..., effects: _Optional[bytes] = ..., page_token: _Optional[bytes] = ..., next_sequence: _Optional[int] = ..., conts: _Optional[bytes] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("account", "filter", "from_sequence", "with_conts")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WITH_CONTS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    filter: HistoryFilter
    from_sequence: int
    with_conts: bool
    def __init__(self, account: _Optional[bytes] = ..., filter: _Optional[_Union[HistoryFilter, _Mapping]] = ..., from_sequence: _Optional[int] = ..., with_conts: _Optional[bool] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("records", "effects", "next_sequence", "conts")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTS_FIELD_NUMBER: _ClassVar[int]
    records: bytes
    effects: bytes
    next_sequence: int
    conts: bytes
    def __init__(self, records: _Optional[bytes] = ..., effects: _Optional[bytes] = ..., next_sequence: _Optional[int] = ..., conts: _Optional[bytes] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("with_state_digest", "linearizable")
    WITH_STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LINEARIZABLE_FIELD_NUMBER: _ClassVar[int]
    with_state_digest: bool
    linearizable: bool
    def __init__(self, with_state_digest: _Optional[bool] = ..., linearizable: _Optional[bool] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("raft_id", "role", "term", "leader", "last_index", "commit_index", "applied_index", "next_sequence", "log_time_ns", "tree_size", "tree_root", "state_digest", "ledger_id", "account_count", "open_hold_count", "live_id_count", "signatures_verified", "log_syncs", "peers", "version", "uptime_ms")
    RAFT_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LOG_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TREE_ROOT_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LEDGER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPEN_HOLD_COUNT_FIELD_NUMBER: _ClassVar[int]
    LIVE_ID_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    LOG_SYNCS_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_MS_FIELD_NUMBER: _ClassVar[int]
    raft_id: int
    role: str
    term: int
    leader: LeaderHint
    last_index: int
    commit_index: int
    applied_index: int
    next_sequence: int
    log_time_ns: int
    tree_size: int
    tree_root: bytes
    state_digest: bytes
    ledger_id: bytes
    account_count: int
    open_hold_count: int
    live_id_count: int
    signatures_verified: int
    log_syncs: int
    peers: _containers.RepeatedCompositeFieldContainer[PeerStatus]
    version: str
    uptime_ms: int
    def __init__(self, raft_id: _Optional[int] = ..., role: _Optional[str] = ..., term: _Optional[int] = ..., leader: _Optional[_Union[LeaderHint, _Mapping]] = ..., last_index: _Optional[int] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., next_sequence: _Optional[int] = ..., log_time_ns: _Optional[int] = ..., tree_size: _Optional[int] = ..., tree_root: _Optional[bytes] = ..., state_digest: _Optional[bytes] = ..., ledger_id: _Optional[bytes] = ..., account_count: _Optional[int] = ..., open_hold_count: _Optional[int] = ..., live_id_count: _Optional[int] = ..., signatures_verified: _Optional[int] = ..., log_syncs: _Optional[int] = ..., peers: _Optional[_Iterable[_Union[PeerStatus, _Mapping]]] = ..., version: _Optional[str] = ..., uptime_ms: _Optional[int] = ...) -> None: ...

class PeerStatus(_message.Message):
    __slots__ = ("raft_id", "connected", "match_index", "state")
    RAFT_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    MATCH_INDEX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    raft_id: int
    connected: bool
    match_index: int
    state: str
    def __init__(self, raft_id: _Optional[int] = ..., connected: _Optional[bool] = ..., match_index: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...
