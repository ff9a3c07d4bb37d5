// The theme's search is a dialog without a name, which a screen reader cannot announce.
document$.subscribe(() => {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search")
})
