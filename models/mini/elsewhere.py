"""Work that is not about files: tools of any make with an ask that fits them, and words that no tool is for."""
from tools import Tool, join_name
from words import CITIES, NAMES

DEMO = ("I am the small demonstration model built into Hearth. I create, read, edit, list and search files and run commands when asked plainly. "
        "For more, use a real model: hearth pull shows how to get one.")

CITY = lambda s: s.pick(s.split(CITIES))
PERSON = lambda s: s.pick(s.split(NAMES))
WORD = lambda s: s.word()
TEXT = lambda s: s.phrase(2, 6)
WHOLE = lambda s: str(s.random.randint(1, 500))
SUM = lambda s: s.pick([f"{s.number()} {s.pick('+-*/')} {s.number()}", f"({s.number()} + {s.number()}) * {s.number()}"])
MAIL = lambda s: f"{s.pick(NAMES).lower()}@{s.word()}.{s.pick(['com', 'org', 'net'])}"
DAY = lambda s: s.pick([f"20{s.random.randint(24, 30)}-{s.random.randint(10, 12)}-{s.random.randint(10, 28)}", s.pick("Monday Tuesday Wednesday Thursday Friday".split()), "tomorrow"])
URL = lambda s: f"https://{s.word()}.{s.pick(['com', 'org', 'io'])}/{s.word()}"
LANGUAGE = lambda s: s.pick("French German Spanish Italian Japanese Dutch Polish".split())
CODE = lambda s: s.pick(["USD", "EUR", "GBP", "JPY", "CHF", "CAD"])
TICKER = lambda s: "".join(s.pick("ABCDEFGHKLMNPQRSTVXYZ") for _ in range(s.random.randint(3, 4)))

# (names, description, [(role, parameter names, schema, how a value is drawn)], asks)
WORK = [
    (["get_weather", "weather", "current_weather", "fetch_forecast", "lookup_weather"], "Get the current weather of a place.", [("a", ["city", "location", "place", "town"], {"type": "string"}, CITY)],
     ["what is the weather in {a}?", "what's the weather like in {a}?", "weather in {a}", "tell me the weather for {a}", "how is the weather in {a} today?", "is it raining in {a}?", "check the weather in {a}"]),
    (["calculate", "calculator", "evaluate", "compute", "do_math"], "Calculate an arithmetic expression.", [("a", ["expression", "formula", "input", "equation"], {"type": "string"}, SUM)],
     ["what is {a}?", "calculate {a}", "compute {a}", "how much is {a}?", "evaluate {a} for me", "please work out {a}"]),
    (["send_email", "mail", "send_mail", "email_user"], "Send an email to somebody.", [("a", ["to", "recipient", "address"], {"type": "string"}, MAIL), ("b", ["subject", "title"], {"type": "string"}, TEXT), ("c", ["body", "text", "message"], {"type": "string"}, TEXT)],
     ["send an email to {a} with subject '{b}' and body '{c}'", "mail {a}: subject \"{b}\", text \"{c}\"", "email {a} about '{b}', saying '{c}'"]),
    (["search_web", "web_search", "internet_search", "google"], "Search the internet.", [("a", ["query", "q", "terms"], {"type": "string"}, TEXT)], ["search the web for {a}", "look up '{a}' online", "find information about {a} on the internet", "web search: {a}"]),
    (["translate", "translate_text", "translator"], "Translate a text into another language.", [("a", ["text", "input", "phrase"], {"type": "string"}, TEXT), ("b", ["language", "target_language", "to"], {"type": "string"}, LANGUAGE)],
     ["translate '{a}' to {b}", "translate \"{a}\" into {b}", "how do you say '{a}' in {b}?", "put '{a}' into {b}"]),
    (["set_timer", "timer", "start_timer", "countdown"], "Set a timer.", [("a", ["minutes", "duration", "length_minutes"], {"type": "integer"}, WHOLE)], ["set a timer for {a} minutes", "wake me in {a} minutes", "start a {a} minute timer", "timer {a} minutes"]),
    (["get_stock_price", "stock_quote", "quote", "share_price"], "Get the price of a share.", [("a", ["symbol", "ticker", "stock"], {"type": "string"}, TICKER)], ["what is the price of {a}?", "stock price of {a}", "how is {a} trading?", "get me the quote for {a}"]),
    (["create_event", "add_event", "schedule_meeting", "calendar_add"], "Put an event in the calendar.", [("a", ["title", "name", "summary"], {"type": "string"}, TEXT), ("b", ["date", "day", "when"], {"type": "string"}, DAY)],
     ["create an event '{a}' on {b}", "schedule '{a}' for {b}", "put \"{a}\" in my calendar on {b}", "add the meeting '{a}' on {b}"]),
    (["convert_currency", "exchange", "currency"], "Convert money between currencies.", [("a", ["amount", "value"], {"type": "number"}, WHOLE), ("b", ["from", "from_currency", "source"], {"type": "string"}, CODE), ("c", ["to", "to_currency", "target"], {"type": "string"}, CODE)],
     ["convert {a} {b} to {c}", "how much is {a} {b} in {c}?", "change {a} {b} into {c}"]),
    (["get_time", "current_time", "clock", "time_in"], "Tell the time in a city.", [("a", ["city", "timezone", "location"], {"type": "string"}, CITY)], ["what time is it in {a}?", "current time in {a}", "tell me the time in {a}"]),
    (["get_user", "lookup_user", "user_info", "find_customer"], "Look up a user by number.", [("a", ["id", "user_id", "number"], {"type": "integer"}, WHOLE)], ["look up user {a}", "get the user with id {a}", "who is user {a}?", "show me user number {a}"]),
    (["play_music", "play", "play_song"], "Play a song.", [("a", ["song", "title", "track"], {"type": "string"}, TEXT)], ["play '{a}'", "play the song '{a}'", "put on \"{a}\"", "I want to hear '{a}'"]),
    (["send_message", "message", "notify", "text_person"], "Send a short message to a person.", [("a", ["to", "recipient", "person", "user"], {"type": "string"}, PERSON), ("b", ["text", "message", "body"], {"type": "string"}, TEXT)],
     ["send {a} the message '{b}'", "tell {a} '{b}'", "message {a}: \"{b}\"", "text {a} that '{b}'", "notify {a} with '{b}'"]),
    (["fetch_url", "http_get", "download_page", "open_url"], "Fetch a page from the web.", [("a", ["url", "address", "link"], {"type": "string"}, URL)], ["fetch {a}", "open {a}", "get the page {a}", "download {a}", "what is on {a}?"]),
    (["turn_on_light", "light_on", "lights"], "Switch on the light of a room.", [("a", ["room", "place"], {"type": "string"}, lambda s: s.pick("kitchen bedroom office garage hall".split()))], ["turn on the light in the {a}", "lights on in the {a}", "switch the {a} light on"]),
    (["book_flight", "find_flights", "flights"], "Find flights between two cities.", [("a", ["origin", "from", "departure"], {"type": "string"}, CITY), ("b", ["destination", "to", "arrival"], {"type": "string"}, CITY)],
     ["book a flight from {a} to {b}", "find flights from {a} to {b}", "I want to fly from {a} to {b}", "flights {a} to {b}"]),
    (["add_task", "create_todo", "add_reminder", "remind"], "Add a task to the list.", [("a", ["task", "title", "text", "item"], {"type": "string"}, TEXT)], ["add a task: {a}", "remind me to '{a}'", "put '{a}' on my list", "create a todo '{a}'"]),
    (["define_word", "dictionary", "define"], "Look a word up in the dictionary.", [("a", ["word", "term"], {"type": "string"}, WORD)], ["define {a}", "what does the word {a} mean?", "look up the word {a}", "dictionary: {a}"]),
    (["get_order", "order_status", "track_order"], "State of an order.", [("a", ["order_id", "order", "id"], {"type": "string"}, lambda s: s.pick("ABCDEFG") + "-" + s.number())], ["where is my order {a}?", "status of order {a}", "track order {a}", "check order {a}"]),
    (["set_temperature", "thermostat", "heat"], "Set the temperature.", [("a", ["degrees", "temperature", "value"], {"type": "number"}, lambda s: str(s.random.randint(10, 30)))], ["set the temperature to {a} degrees", "make it {a} degrees", "heat to {a}"]),
    (["query_database", "sql", "run_sql"], "Run a SQL query.", [("a", ["query", "sql", "statement"], {"type": "string"}, lambda s: f"SELECT {s.word()} FROM {s.word()} WHERE id = {s.number()}")], ["run the query {a}", "execute this SQL: {a}", "query the database: {a}"]),
    (["roll_dice", "dice", "random_roll"], "Roll dice.", [("a", ["sides", "faces"], {"type": "integer"}, WHOLE)], ["roll a die with {a} sides", "roll a {a}-sided die", "throw a {a} sided die"]),
    (["echo", "repeat", "say"], "Says a text again.", [("a", ["text", "message", "input"], {"type": "string"}, TEXT)], ["echo '{a}'", "repeat '{a}'", "say '{a}' with the tool", "call the tool with '{a}'"]),
]

TALK = ["hello", "hi", "hey there", "good morning", "how are you?", "who are you?", "what are you?", "what can you do?", "thanks", "thank you!", "bye", "ok", "great", "nice work", "yes", "no", "hm", "help", "what model is this?",
        "are you a real AI?", "tell me a joke", "say hello", "what is your name?", "can you help me?", "sing a song", "I am bored", "good night", "that is all", "never mind", "cool", "you are funny", "what now?", "test", "ping",
        "how do you work?", "are you there?", "hello, can you hear me?", "nice to meet you", "welcome back", "good job", "perfect, thanks", "wow", "what do you think?", "who made you?", "how old are you?"]
ASKS = ["what is a {w}?", "explain {w} to me", "why is the {w} {x}?", "how does {w} work?", "write a poem about {w}", "tell me about {w}", "what is the capital of {c}?", "who was {n}?", "what is the difference between {w} and {x}?",
        "give me an idea for {w}", "is {w} better than {x}?", "how do I learn {w}?", "what do you know about {c}?", "when was {c} founded?", "summarize the history of {w}", "translate {w} into {x}", "how many people live in {c}?",
        "what does {w} mean?", "write me a story about a {w} and a {x}", "should I use {w} or {x}?", "what is the meaning of {w}?", "make it better", "fix the bug", "make it faster", "refactor everything", "improve the {w}",
        "implement {w} for the {x}", "design a system for {w}", "why does my {w} not work?", "review my {w}", "do something with {w}", "can you explain {w} in simple words?", "I like {w}", "my {w} is {x}", "the {w} was {x} yesterday",
        "{n} said that {w} is {x}", "what would you do about {w}?", "plan a trip to {c}", "what should I eat in {c}?", "write an essay about {w} and {x}", "compose a song about {c}", "which {w} is the best?", "do you like {w}?",
        "how can the {w} be {x}?", "prove that {w} is {x}", "recommend a book about {w}", "what is {i} times {i}?", "how far is {c} from {c}?", "what is the weather in {c}?", "what year is it?", "what is the best way to {w}?",
        "I have a question about {w}", "tell {n} about {w}", "what are the steps to {w} a {x}?", "think about {w}", "describe {w} and {x}", "argue for {w}", "what is a file?", "what is a command?", "how do files work?",
        "what does read mean?", "why would I edit a {w}?", "is it good to run {w}?", "explain how to create a {w}", "what is the purpose of a {w} file?", "how do I write a good {w}?"]


def make_work(source):
    """A tool of another make with an ask: (tool, values by parameter, the ask)."""
    names, description, roles, asks = source.pick(WORK)
    style = source.pick(["snake", "snake", "camel", "pascal", "kebab"])
    name = join_name(source, [source.pick(source.split(names))], style)
    values, parameters, arguments = {}, {}, {}
    for role, options, schema, draw in roles:
        parameter = source.pick([p for p in source.split(options) if p not in parameters] or options)
        values[role] = draw(source)
        parameters[parameter] = dict(schema)
        arguments[parameter] = values[role]
    required = list(parameters)
    if source.chance(0.2):
        parameters[source.pick(["units", "format", "verbose", "limit", "lang"])] = {"type": "string"}
    ask = source.pick(source.split(asks)).format(**values)
    if source.chance(0.5) and ask[0].isalpha():
        ask = ask[0].upper() + ask[1:]
    ask = source.pick(["", "", "", "please ", "hi, ", "can you "]) + ask if ask[0].islower() and not ask.endswith("?") else ask
    return Tool(name, description, parameters, required), arguments, ask


def small_talk(source):
    if source.chance(0.35):
        text = source.pick(source.split(TALK))
    else:
        text = source.pick(source.split(ASKS)).format(w=source.word(), x=source.word(), c=source.pick(CITIES), n=source.pick(NAMES), i=source.number())
    if source.chance(0.4):
        text = text[0].upper() + text[1:]
    return text
