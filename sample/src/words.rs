//! The words that titles, names and phrases are put together from. All of them were chosen for this project.

pub(super) const ADJECTIVES: [&str; 48] = [
    "Silver", "Quiet", "Broken", "Crimson", "Hollow", "Distant", "Velvet", "Restless", "Paper", "Northern",
    "Borrowed", "Burning", "Sleepless", "Gentle", "Forgotten", "Wild", "Salt", "Second", "Electric", "Bitter",
    "Patient", "Winter", "Glass", "Crooked", "Golden", "Unfinished", "Midnight", "Lesser", "Copper", "Faithful",
    "Stolen", "Long", "Pale", "Reckless", "Hidden", "Amber", "Furious", "Little", "Iron", "Painted", "Sudden",
    "Honest", "Frozen", "Drowned", "Last", "Secret", "Tender", "Wandering",
];

pub(super) const NOUNS: [&str; 56] = [
    "Harbour", "Orchard", "Lantern", "Cartographer", "Ferry", "Violin", "Border", "Garden", "Machine", "Locksmith",
    "Tide", "Ledger", "Comet", "Winter", "Kitchen", "Sparrow", "Bridge", "Telegram", "Beekeeper", "Carnival",
    "Mountain", "Motel", "Archive", "Fox", "Neighbour", "Lighthouse", "Parade", "Witness", "Engine", "Translator",
    "Room", "Island", "Wolf", "Tailor", "Signal", "Road", "Piano", "Detective", "Monsoon", "Clockmaker", "Stranger",
    "Balloon", "Summer", "Swimmer", "Shadow", "Recipe", "Tunnel", "Pilot", "Dancer", "Window", "Library", "Bicycle",
    "Thunder", "Guest", "Mirror", "Desert",
];

pub(super) const ABSTRACTS: [&str; 24] = [
    "Mercy", "Silence", "Patience", "Regret", "Laughter", "Gravity", "Trust", "Autumn", "Memory", "Chance", "Loyalty",
    "Dust", "Courage", "Rain", "Envy", "Hope", "Distance", "Luck", "Thirst", "Honey", "Ashes", "Wonder", "Doubt",
    "Grace",
];

pub(super) const NAMES: [&str; 40] = [
    "Marlow", "Odette", "Tobias", "Ingrid", "Casimir", "Wren", "Matilda", "Anselm", "Rosalind", "Dmitri", "Paloma",
    "Ezra", "Florian", "Nadia", "Percy", "Yuki", "Beatrix", "Lorenzo", "Saoirse", "Hugo", "Amara", "Viktor",
    "Delphine", "Rafael", "Juniper", "Otto", "Leila", "Bastian", "Imogen", "Kofi", "Zelda", "Henrik", "Priya",
    "Mateo", "Agnes", "Soren", "Thandi", "Emil", "Noor", "Clementine",
];

pub(super) const PLACES: [&str; 24] = [
    "Trieste", "Oslo", "Kyoto", "Galway", "Nairobi", "Lisbon", "Omaha", "Busan", "Montreal", "Tbilisi", "Havana",
    "Leeds", "Marseille", "Reykjavik", "Santiago", "Bruges", "Calcutta", "Duluth", "Porto", "Riga", "Tucson",
    "Zagreb", "Hobart", "Córdoba",
];

pub(super) const FOREIGN_TITLES: [&str; 12] = [
    "L'été de", "La última carta de", "Das Mädchen und", "Señor", "Le château de", "Försoning med", "A canção de",
    "Il caffè di", "Die Brücke zu", "Où est", "Żona i", "El año de",
];

pub(super) const KOREAN_TITLES: [&str; 16] = [
    "푸른", "바다", "겨울", "편지", "작은", "기차", "달빛", "이웃", "오래된", "우산", "하얀", "골목", "마지막", "여름", "조용한", "손님",
];

pub(super) const SEQUELS: [&str; 6] = [
    " II", " 2", ": Part III", " Returns", ": Vol. 2", " - The Reckoning",
];

pub(super) const EPISODES: [&str; 14] = [
    "Pilot", "The Long Way Down", "Loose Ends", "What She Said", "Fathers & Sons", "Low Tide", "Chapter Nine",
    "The Uninvited", "Half-Light", "Two Birds, One Stone", "Homecoming", "Static", "A Favour", "Ghost of a Chance",
];

pub(super) const GOOD: [&str; 28] = [
    "wonderful", "gripping", "charming", "beautifully paced", "quietly moving", "very funny", "superb", "sincere",
    "tense", "clever", "warm-hearted", "stunning", "refreshing", "brilliant", "perfectly judged", "touching",
    "playful", "memorable", "surprisingly deep", "rich", "sharp", "heartfelt", "daring", "graceful", "joyful",
    "thrilling", "generous", "splendid",
];

pub(super) const BAD: [&str; 28] = [
    "dull", "predictable", "far too long-winded", "lazy", "clumsy", "messy", "painfully slow", "flat", "forgettable",
    "shallow", "badly lit", "tiresome", "stilted", "confusing", "hollow", "thoughtless", "wooden", "derivative",
    "charmless", "noisy", "pointless", "stale", "half-baked", "joyless", "bloated", "muddled", "boring", "graceless",
];

pub(super) const ASPECTS: [&str; 26] = [
    "the acting", "the script", "the score", "the editing", "the camera work", "the ending", "the dialogue",
    "the pacing", "the first act", "the whole middle part", "the supporting cast", "the costume design", "the humour",
    "the twist", "the opening scene", "the sound", "the romance", "the villain", "the set design",
    "the chemistry between the leads", "the direction", "the last half hour", "the use of colour", "the story",
    "the narration", "the chase through the market",
];

pub(super) const SURNAMES: [&str; 30] = [
    "Aldermoor", "Brankovich", "Castellane", "Dunmore", "Ekström", "Fairweather", "Grünfeld", "Hollis", "Ibarra",
    "Jelani", "Kowalczyk", "Larkspur", "Moreau", "Nakagawa", "O'Dwyer", "Petrossian", "Quill", "Rutherglen", "Sørby",
    "Tamm", "Umar", "Vasquez-Lind", "Whitlock", "Xiong", "Yates", "Zabala", "Núñez", "Park", "Achterberg", "Čapek",
];

pub(super) const GENRES: [&str; 18] = [
    "thriller", "comedy", "drama", "western", "horror film", "love story", "heist film", "war film", "mystery",
    "musical", "documentary", "road movie", "family film", "science fiction film", "crime story", "period piece",
    "satire", "coming-of-age story",
];

pub(super) const TIMES: [&str; 16] = [
    "last night", "on a long flight", "at a small festival", "for the third time", "with my sister",
    "on a rainy Sunday", "when it came out", "years ago", "with no expectations", "on television",
    "in an almost empty cinema", "after reading the book", "with the whole family", "at midnight",
    "because of the poster", "in one sitting",
];

pub(super) const NICKNAMES: [&str; 36] = [
    "popcorn", "filmfan", "moviebuff", "nightowl", "projectionist", "critic", "cinephile", "seat", "matinee",
    "reelthoughts", "balcony", "trailer", "silverscreen", "clapper", "gaffer", "bestboy", "rewind", "sofa", "usher",
    "celluloid", "widescreen", "doublebill", "subtitle", "lastrow", "boxoffice", "closeup", "jumpcut", "montage",
    "understudy", "extra", "stunt", "encore", "intermission", "premiere", "sequel", "credits",
];
