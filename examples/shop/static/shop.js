// The shop's own script: adds to the cart without leaving the page. Every form works without it too.

const toast = document.querySelector(".toast");
let hiding;

function notify(text) {
  toast.querySelector("span").textContent = text;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (toast.hidden = true), 5000);
}

async function add(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(new FormData(form)),
  });
  const { count, name, quantity } = await answer.json();
  const badge = document.querySelector(".badge");
  badge.textContent = badge.dataset.count = count;
  const button = form.querySelector("button");
  button.textContent = quantity > 1 ? `In cart (${quantity})` : "In cart";
  button.classList.add("done");
  notify(`${name} added to cart`);
}

for (const form of document.querySelectorAll("form.add")) form.addEventListener("submit", add);

// An empty search would show an empty page: put the cursor into the field instead.
document.querySelector(".search").addEventListener("submit", (event) => {
  const field = event.currentTarget.q;
  if (!field.value.trim()) {
    event.preventDefault();
    field.focus();
  }
});
