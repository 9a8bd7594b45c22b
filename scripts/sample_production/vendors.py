"""The vendors of the sample and their supplies; every name is invented.

A line of a supply has its account, text, lowest and highest rate per day or piece, and the maximum of days
or pieces.
"""

# ruff: noqa: RUF001 -- dashes and accents as vendors type them: the encodings must keep them

from __future__ import annotations

from dataclasses import dataclass

from sample_production.tax_ids import tax_id


@dataclass(frozen=True)
class Supply:
    """A good or service of a vendor; rates are whole units of the vendor's currency."""

    account: str
    text: str
    low: int
    high: int
    max_pieces: int = 1


@dataclass(frozen=True)
class Vendor:
    """A vendor; `number` counts the vendors of its country, `numbering` is the format of invoice numbers."""

    country: str
    number: int
    name: str
    numbering: str
    location: str
    supplies: tuple[Supply, ...]

    @property
    def code(self) -> str:
        """The code in the production's vendor list."""
        return f"V-{self.country}-{self.number:03d}"

    @property
    def tax_id(self) -> str:
        """A valid tax id."""
        return tax_id(self.country, self.number)


def _vendors(country: str, location: str, table: str) -> tuple[Vendor, ...]:
    """Read a table of vendors: `name | numbering`, and below it, indented, one supply per line."""
    vendors: list[Vendor] = []
    head: list[str] = []
    supplies: list[Supply] = []

    def close() -> None:
        if head:
            vendors.append(Vendor(country, len(vendors) + 1, head[0], head[1], location, tuple(supplies)))

    for line in table.strip("\n").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith(" "):
            account, text, *numbers = cells
            supplies.append(Supply(account, text, *map(int, numbers)))
        else:
            close()
            head, supplies = cells, []
    close()
    return tuple(vendors)


GERMANY = _vendors(
    "DE",
    "BBG",
    """
Havelblick Bühnenbau GmbH | HB-26-{:05d}
    2330 | Bühnenbau Innenmotiv Werft, Arbeitstage | 1850 | 3400 | 8
    2320 | Bauholz und Platten | 420 | 5200 | 1
    2410 | Rückbau und Entsorgung | 650 | 2100 | 3
Lichtwerk Nuthe GmbH & Co. KG | {:07d}
    3220 | Lichtpaket Hauptteam, Tage | 980 | 1900 | 6
    3240 | Folien, Klebeband und Verbrauch | 90 | 780 | 1
    3230 | Stromaggregat 150 kVA, Tage | 240 | 460 | 6
Kamerahaus Tiefer See GmbH | R{:06d}
    3320 | Kamerapaket Großformat, Tage | 1450 | 2600 | 6
    3330 | Anamorphotischer Objektivsatz, Tage | 780 | 1350 | 6
    3340 | Datenträger und Sicherung | 180 | 950 | 2
Märkische Fahrbereitschaft GmbH | MF{:05d}
    3520 | Produktionsfahrzeuge, Tage | 120 | 260 | 10
    3540 | Kraftstoff und Maut | 60 | 740 | 1
Kantine am Filmpark GbR | 2026/{:04d}
    3640 | Verpflegung am Set, Personen | 19 | 27 | 140
    2540 | Kaffee und Obst am Set, Tage | 140 | 290 | 6
Hotel Glienicker Ufer GmbH | GU-{:06d}
    3660 | Übernachtungen Stab | 96 | 149 | 40
    1520 | Übernachtungen Darsteller | 210 | 390 | 12
Kostümatelier Sanssouci-Süd UG | KA{:04d}
    2930 | Anfertigung Uniformen, Stück | 240 | 620 | 14
    2920 | Fundus Leihkostüme, Wochen | 310 | 890 | 2
Requisite & Antik Teltow GmbH | {:05d}-RA
    2720 | Ausstattung Leihmöbel | 180 | 2400 | 1
    2820 | Requisiten Kauf und Leihe | 75 | 1200 | 1
Bavelsdorf Funk und Ton GmbH | BFT-{:05d}
    3420 | Tonpaket und Funkstrecken, Tage | 320 | 560 | 6
    6830 | Betriebsfunkgeräte, Tage | 95 | 180 | 6
Wachschutz Drewitz GmbH | WD26{:05d}
    3630 | Objektschutz Drehort, Schichten | 260 | 390 | 9
    3650 | Verkehrslenkung und Absperrung | 480 | 1900 | 1
Sprengmeister Effekte Jüterbog GmbH | SEJ{:04d}
    2620 | Pyrotechnik und Regenanlage | 650 | 3800 | 1
    2830 | Waffenmeister und Dekowaffen, Tage | 380 | 690 | 4
Spree Kran & Schiene GmbH | SKS-{:05d}
    2530 | Teleskopkran mit Bedienung, Tage | 1150 | 1980 | 4
    2520 | Dolly und Schienen, Tage | 190 | 340 | 6
Atelierbetrieb Alte Lokhalle GmbH | AL-{:05d}
    3680 | Ateliermiete Halle, Tage | 2900 | 4600 | 7
    6820 | Büromiete Produktion | 900 | 2400 | 1
Maske und Prothetik Kreuzberg GmbH | MPK/{:04d}
    3120 | Prothetik und Maskenmaterial | 140 | 2700 | 1
    4210 | Maskenbildnerin auf Rechnung, Tage | 340 | 420 | 6
""",
)

SOFIA = Vendor(
    "BG",
    1,
    "Vitosha Matte & Plate OOD",
    "VMP-{:06d}",
    "BBG",
    (Supply("4920", "Plates and matte painting, shots", 900, 2400, 6),),
)

UNITED_KINGDOM = _vendors(
    "GB",
    "LDN",
    """
Bermondsey Grip Stores Ltd | BGS{:06d}
    2520 | Grip package – days | 380 | 720 | 4
    2530 | Technocrane and crew – days | 1250 | 1900 | 2
Fenchurch Camera Hire Ltd | FC-{:05d}
    3320 | Camera body hire – days | 620 | 1150 | 4
    3330 | Prime lens set – days | 380 | 690 | 4
Lambeth Lighting Partnership LLP | {:06d}
    3220 | Lighting order, days | 740 | 1600 | 4
    3230 | Generator 60 kVA and fuel | 260 | 980 | 2
    3240 | Gels, tape and consumables | 45 | 620 | 1
Thames Wherry Marine Services Ltd | TW/26/{:04d}
    3010 | Picture boats and crew – days | 950 | 2600 | 3
    3630 | Safety boat – days | 420 | 680 | 3
Queenhithe Catering Co. Ltd | QC{:05d}
    3640 | Crew meals – covers | 17 | 24 | 130
    2540 | Crew café – days | 160 | 310 | 3
Old Street Facilities Vehicles Ltd | OSF-{:05d}
    3520 | Unit vehicles and trailers – days | 280 | 940 | 5
    3540 | Fuel, ULEZ and congestion charges | 15 | 540 | 1
The Marlowe & Kyd Costume House Ltd | MK{:06d}
    2920 | Period costume hire – weeks | 340 | 1500 | 2
    2930 | Costume making – pieces | 190 | 720 | 8
Hotel Cornhill (Lodgings) Ltd | HC-{:06d}
    3660 | Crew rooms – nights | 118 | 176 | 36
    1520 | Cast suites – nights | 310 | 540 | 6
Wapping Set & Scenery Ltd | WSS{:05d}
    2320 | Set build materials | 320 | 4800 | 1
    2410 | Strike and waste, incl. skips | 280 | 1900 | 1
Bow Bells Armoury Ltd | BBA/{:04d}
    2830 | Replica weapons and armourer – days | 390 | 760 | 3
    2820 | Hero props | 120 | 1900 | 1
St Katharine Post Sound Ltd | SKP{:05d}
    4720 | ADR stage – hours | 190 | 320 | 8
    4710 | Sound editorial – days | 420 | 620 | 5
Shadwell Security & Stewarding Ltd | {:05d}/SS
    3630 | Location stewards – shifts | 165 | 240 | 14
    3650 | Traffic management | 620 | 2400 | 1
Greenwich Unit Drivers Ltd | GUD-{:06d}
    3520 | Cast cars with driver – days | 290 | 410 | 5
""",
)

CANADA = _vendors(
    "CA",
    "TOR",
    """
Don Valley Camera & Optics Inc. | DV{:06d}
    3320 | Camera package days | 1350 | 2300 | 5
    3330 | Lens rental days | 620 | 1100 | 5
Cherry Beach Grip & Electric Ltd. | {:06d}
    2520 | Grip truck days | 480 | 900 | 6
    3220 | Lighting truck days | 690 | 1450 | 6
    3240 | Expendables | 60 | 880 | 1
Leslieville Stage Rentals Inc. | LSR-{:05d}
    3680 | Stage days | 2600 | 4300 | 6
    6820 | Production office | 700 | 2100 | 1
Queen's Quay Catering Inc. | QQ{:05d}
    3640 | Crew lunches | 21 | 29 | 120
    2540 | Craft service days | 260 | 420 | 5
Scarborough Bluffs Transport Ltd. | SB-{:06d}
    3520 | Trailers and cube trucks, days | 210 | 680 | 8
    3540 | Fuel and 407 tolls | 25 | 760 | 1
Humber Bay Carpentry Inc. | HBC{:05d}
    2320 | Lumber and hardware | 260 | 5400 | 1
    2410 | Strike and bin rental | 340 | 1700 | 1
Toronto Island Props Ltd. | TIP/{:04d}
    2820 | Props rental | 90 | 1600 | 1
    2720 | Set dressing rental | 140 | 2300 | 1
Maple & Mask Prosthetics Inc. | MM{:05d}
    3120 | Prosthetic pieces | 180 | 640 | 5
Hotel Parliament Street Inc. | HPS-{:06d}
    3660 | Crew room nights | 149 | 219 | 40
    1520 | Cast suite nights | 360 | 610 | 8
Rouge River Effects Ltd. | RRE{:04d}
    2620 | Rain towers and wind machines | 520 | 3900 | 1
Gardiner Paid Duty & Traffic Services | GP{:06d}
    3650 | Paid duty officers, shifts | 410 | 640 | 8
    3630 | Location security, shifts | 240 | 330 | 10
""",
)

UNITED_STATES = _vendors(
    "US",
    "LAX",
    """
Silver Lake Visual Works Inc. | SLV-{:05d}
    4910 | VFX shots, turnover 1 | 1900 | 7400 | 6
    4920 | Plate scanning | 240 | 1800 | 1
Tujunga Editorial Rentals LLC | {:06d}
    4520 | Edit suite, weeks | 1250 | 2400 | 2
    3340 | Shuttle drives | 180 | 520 | 4
Boyle Heights Color & Mastering LLC | BH{:05d}
    4810 | Grading theater, days | 1900 | 3100 | 3
    3710 | Dailies processing, days | 680 | 1150 | 6
Arroyo Completion Guarantors Inc. | ACG-26-{:03d}
    6720 | Completion bond, installment | 14000 | 24000 | 1
Pico & Figueroa Entertainment Insurance Brokers | PF{:07d}
    6710 | Production package, installment | 6000 | 14000 | 1
Mar Vista Legal Group LLP | {:05d}
    6810 | Legal services, hours | 420 | 690 | 24
Long Beach Carnet & Freight Inc. | LBC{:06d}
    3530 | Air freight and carnet | 850 | 9400 | 1
Echo Park Travel Desk LLC | EP-{:06d}
    3670 | Airfare, crew | 640 | 1900 | 6
    1510 | Airfare, cast and director | 3200 | 8900 | 2
Los Feliz Scoring Partners Inc. | LFS{:04d}
    4610 | Composer fee, installment | 4000 | 9000 | 1
    4620 | Scoring stage, days | 2900 | 5200 | 2
Glassell Production Supplies Inc. | GPS-{:06d}
    6820 | Office supplies | 25 | 640 | 1
    6830 | Wireless and internet | 60 | 780 | 1
    3910 | Camera test stock and prep | 240 | 1600 | 1
Mount Washington Casting LLC | MWC{:04d}
    1440 | Casting services, weeks | 2600 | 4200 | 2
    1450 | Dialect coaching, sessions | 280 | 420 | 8
Alhambra Stills & Press Inc. | {:05d}-AS
    6510 | Unit stills and EPK, days | 620 | 980 | 5
""",
)
