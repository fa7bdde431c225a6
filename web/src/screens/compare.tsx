// One request to several models, each with its own sandbox; which is best is said before their names are.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get, post, type ChatInfo } from "../api";
import { modelNames } from "../parts/composer";
import { Icon } from "../parts/icons";
import { PlainChat, useChat } from "../parts/plainchat";
import { ScreenHead } from "../parts/screenhead";
import { go, tried } from "../state";
import { number, seconds } from "../text/sizes";

interface Compared {
  compare: string;
  text: string;
  blind: boolean;
  chats: ChatInfo[];
  models: string[] | null; // null until the vote, if it is blind
  winner: number | "tie" | "none" | null;
  tests: string | null;
  passed: (boolean | null)[]; // the tests, by each; null: not yet
}

interface Rank {
  model: string;
  points: number;
  wins: number;
  losses: number;
  ties: number;
}

const LETTERS = "ABCD";

export function CompareScreen({ compare }: { compare: string | null }): VNode {
  return (
    <main>
      <ScreenHead title="Compare models" />
      {compare ? <Columns key={compare} id={compare} /> : <Begin />}
    </main>
  );
}

function Begin(): VNode {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<string[]>(modelNames().slice(0, 2));
  const [blind, setBlind] = useState(true);
  const [tests, setTests] = useState("");
  const [asking, setAsking] = useState(false);
  const names = modelNames();
  useEffect(() => {
    if (!chosen.length && names.length) setChosen(names.slice(0, 2));
  }, [names.length]);
  const turn = (name: string): void =>
    setChosen(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name].slice(-4));
  const begin = async (): Promise<void> => {
    setAsking(true);
    const made = await tried(post<Compared>("/api/compares", { text, models: chosen, blind, tests }));
    setAsking(false);
    if (made) go(`#/compare/${made.compare}`);
  };
  return (
    <div class="screen">
      <section class="card">
        <label>
          What shall all of them do?
          <textarea rows={3} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="chips" role="group" aria-label="Models, two to four">
          {names.map((name) => (
            <button type="button" class="chip" key={name} aria-pressed={chosen.includes(name)} onClick={() => turn(name)}>
              {name}
            </button>
          ))}
        </div>
        {names.length < 2 && (
          <p class="muted">Two models at least are needed: start the server with --also-model NAME.</p>
        )}
        <details class="tests">
          <summary>Hidden tests</summary>
          <label>
            Python that raises where the code is wrong; it runs in each sandbox once all have ended, and no model sees it
            <textarea class="mono" rows={3} spellcheck={false} placeholder="assert add(2, 3) == 5" value={tests} onInput={(event) => setTests(event.currentTarget.value)} />
          </label>
        </details>
        <label class="check">
          <input type="checkbox" checked={blind} onChange={(event) => setBlind(event.currentTarget.checked)} />
          Blind: names are told after the vote
        </label>
        <div>
          <button type="button" class="primary" disabled={asking || chosen.length < 2 || !text.trim()} onClick={() => void begin()}>
            Ask {chosen.length} models
          </button>
        </div>
      </section>
      <Ranks />
    </div>
  );
}

function Ranks(): VNode | null {
  const [ranks, setRanks] = useState<Rank[] | null>(null);
  useEffect(() => {
    void tried(get<{ models: Rank[] }>("/api/ranks")).then((found) => found && setRanks(found.models));
  }, []);
  if (!ranks?.length) return null;
  return (
    <section>
      <h2>Ranks</h2>
      <p class="muted">From your votes: Bradley and Terry's model, on the scale of Elo.</p>
      <table class="plain">
        <thead>
          <tr>
            {["Model", "Points", "Wins", "Losses", "Ties"].map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {ranks.map((rank) => (
            <tr key={rank.model}>
              <td>{rank.model}</td>
              <td>{number(Math.round(rank.points))}</td>
              <td>{rank.wins}</td>
              <td>{rank.losses}</td>
              <td>{rank.ties}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Columns({ id }: { id: string }): VNode {
  const [found, setFound] = useState<Compared | null>(null);
  useEffect(() => {
    void tried(get<Compared>(`/api/compares/${id}`)).then(setFound);
  }, [id]);
  const [rests, setRests] = useState<Record<string, number>>({}); // chats that are at rest, with their runs
  const all = found?.chats.every((chat) => chat.id in rests) ?? false;
  const untested = found?.tests != null && found.passed.includes(null);
  useEffect(() => {
    if (all && untested) void tried(post<Compared>(`/api/compares/${id}/tests`)).then((told) => told && setFound(told));
  }, [all, untested, JSON.stringify(rests)]);
  if (!found) return <p class="muted none">Loading …</p>;
  const vote = async (winner: number | "tie" | "none"): Promise<void> => {
    const told = await tried(post<Compared>(`/api/compares/${id}/vote`, { winner }));
    if (told) setFound(told);
  };
  return (
    <>
      <p class="said compare-said">{found.text}</p>
      <div class="columns">
        {found.chats.map((chat, at) => (
          <Column
            key={chat.id}
            chat={chat.id}
            name={found.models?.[at] ?? `Model ${LETTERS[at]}`}
            winner={found.winner === at}
            passed={found.passed[at] ?? null}
            onRest={(runs) => setRests((before) => (runs === null ? without(before, chat.id) : { ...before, [chat.id]: runs }))}
          />
        ))}
      </div>
      <div class="vote" role="group" aria-label="Vote">
        {found.winner === null ? (
          <>
            <span class="muted">Which is best?</span>
            {found.chats.map((chat, at) => (
              <button type="button" key={chat.id} onClick={() => void vote(at)}>
                {LETTERS[at]}
              </button>
            ))}
            <button type="button" onClick={() => void vote("tie")}>
              Tie
            </button>
            <button type="button" onClick={() => void vote("none")}>
              None of them
            </button>
          </>
        ) : (
          <>
            <span role="status">
              {typeof found.winner === "number"
                ? `You chose ${found.models?.[found.winner] ?? LETTERS[found.winner]}.`
                : found.winner === "tie"
                  ? "You called it a tie."
                  : "You chose none of them."}
            </span>
            <a href="#/compare">Ranks, and another one</a>
          </>
        )}
      </div>
    </>
  );
}

function without(all: Record<string, number>, name: string): Record<string, number> {
  return Object.fromEntries(Object.entries(all).filter(([each]) => each !== name));
}

interface ColumnProps {
  chat: string;
  name: string;
  winner: boolean;
  passed: boolean | null;
  onRest: (runs: number | null) => void; // how many cells have run; null while something goes on
}

function Column({ chat, name, winner, passed, onRest }: ColumnProps): VNode {
  const view = useChat(chat);
  const ended = view.work === null && view.items.some((item) => item.kind === "end");
  const runs = Object.values(view.cells).filter((cell) => cell.result).length;
  useEffect(() => onRest(ended ? runs : null), [ended, runs]);
  return (
    <section class={winner ? "winner" : ""} aria-label={name}>
      <h2>
        {winner && <Icon name="check" />}
        {name}
        {passed !== null && <span class={`flag ${passed ? "good" : "bad"}`}>{passed ? "tests passed" : "tests failed"}</span>}
        <span class="grow" />
        <span class="muted small">
          {number(view.tokens.completion)} tokens · {seconds(view.modelSeconds)}
        </span>
      </h2>
      <div class="one" tabIndex={0} role="region" aria-label={`Replies of ${name}`}>
        <PlainChat chat={chat} view={{ ...view, items: view.items.filter((item) => item.kind !== "message") }} />
      </div>
    </section>
  );
}
