// A run that continues: the page loads itself again when there may be news, and says when
// there have been none for long.
"use strict";

const LEAST_SECONDS = 10;
const MOST_SECONDS = 300;
const SHARE_OF_LOADING = 50; // at most one second of fifty goes into loading
const LONG = 600;
let loading = 0;

function measureLoading() {
  loading = performance.now() / 1000;
}

// Seconds between the last few snapshots.
function pace() {
  const times = d3.sort(runs.flatMap((run) => [...run.seconds.values()])).slice(-10);
  return d3.median(d3.pairs(times, (a, b) => b - a)) ?? 0;
}

const silence = () => (Date.now() - written.getTime()) / 1000;

function followNews() {
  if (!isRunning) return;
  tellSilence();
  setInterval(tellSilence, 30_000);
  reloadLater();
}

// The run may have ended without a word.
function tellSilence() {
  const isLong = silence() > Math.max(LONG, 5 * pace());
  byId("news").hidden = !isLong;
  const text = isLong ? `No news for ${duration(silence())}: it may have ended.` : "";
  if (byId("news").textContent !== text) byId("news").textContent = text;
}

// As often as the run has news, and an old page less and less often.
function reloadLater() {
  const wanted = Math.max(LEAST_SECONDS, pace(), silence() / 20, SHARE_OF_LOADING * loading);
  const seconds = Math.min(MOST_SECONDS, wanted);
  setTimeout(async () => {
    const isInUse =
      playing || byId("dialog").open || document.hidden || Date.now() - lastTouch < 3000;
    if (isInUse || !(await hasNews())) return reloadLater();
    state.focus = document.activeElement?.id ?? "";
    keep();
    location.reload();
  }, 1000 * seconds);
}

// A server can be asked whether the page has changed; a file can only be loaded again.
async function hasNews() {
  if (!location.protocol.startsWith("http")) return true;
  try {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
    const changed = Date.parse(answer.headers.get("last-modified") ?? "");
    return answer.ok && !(changed <= Date.parse(document.lastModified));
  } catch {
    return false; // nobody serves it now: what is shown stays
  }
}
