// What a reader without a mouse or a screen needs, and the theme leaves out.
document$.subscribe(() => {
  // The search is a dialog without a name.
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search")
  // What scrolls must be reached by the keyboard. The theme wraps tables after this.
  setTimeout(() => {
    for (const region of document.querySelectorAll(".md-typeset__scrollwrap, .arithmatex")) {
      if (region.scrollWidth > region.clientWidth) region.tabIndex = 0
    }
  })
})
