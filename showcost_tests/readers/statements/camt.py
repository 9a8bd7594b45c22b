"""Small bank statements in camt.053."""

from __future__ import annotations

from xml.sax.saxutils import escape


def detail(amount: str, text: str = "", *, currency: str = "EUR", **other: str) -> str:
    """Return the details of one transaction; `other` are `number`, `party`, `end_to_end` and `instructed`."""
    instructed = ""
    if "instructed" in other:
        code, number = other["instructed"].split()
        instructed = f'<InstdAmt><Amt Ccy="{code}">{number}</Amt></InstdAmt>'
    amounts = (
        f'<AmtDtls>{instructed}<TxAmt><Amt Ccy="{currency}">{amount}</Amt></TxAmt></AmtDtls>'
        if amount
        else ""
    )
    invoice = other.get("number")
    structured = f"<Strd><RfrdDocInf><Nb>{escape(invoice)}</Nb></RfrdDocInf></Strd>" if invoice else ""
    remittance = (f"<Ustrd>{escape(text)}</Ustrd>" if text else "") + structured
    party = other.get("party")
    named = f"<RltdPties><Cdtr><Nm>{escape(party)}</Nm></Cdtr></RltdPties>" if party else ""
    end_to_end = escape(other.get("end_to_end", "NOTPROVIDED"))
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{amounts}{named}"
        f"<RmtInf>{remittance}</RmtInf></TxDtls>"
    )


def entry(
    amount: str,
    *details: str,
    day: str = "2026-03-04",
    sign: str = "DBIT",
    currency: str = "EUR",
    **other: str,
) -> str:
    """Return an entry; `other` are `status` and `extra`, the additional information."""
    extra = other.get("extra")
    inside = f"<NtryDtls>{''.join(details)}</NtryDtls>" if details else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"<Sts>{other.get('status', 'BOOK')}</Sts><BookgDt><Dt>{day}</Dt></BookgDt>{inside}"
        + (f"<AddtlNtryInf>{escape(extra)}</AddtlNtryInf>" if extra else "")
        + "</Ntry>"
    )


def balance(code: str, amount: str, *, sign: str = "CRDT", currency: str = "EUR") -> str:
    """Return a balance."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd></Bal>'
    )


def statement(*parts: str, name: str = "STMT-1", iban: str = "DE02120300000000202051") -> str:
    """Return one statement."""
    return f"<Stmt><Id>{name}</Id><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{''.join(parts)}</Stmt>"


def document(*statements: str, version: str = "02", kind: str = "053") -> bytes:
    """Return a file of statements."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{namespace}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>M</MsgId></GrpHdr>{''.join(statements)}</BkToCstmrStmt></Document>"
    ).encode()
