// Runs in every frame before the page's own scripts. Remembers which permissions the page asked for: a headless
// browser shows no prompt, so the look tells about it instead.
(() => {
  let asked = [];
  const watch = (home, name, what) => {
    if (typeof home?.[name] !== "function") return;
    home[name] = new Proxy(home[name], {
      apply(native, self, given) {
        asked.push(typeof what === "function" ? what(given) : what);
        return Reflect.apply(native, self, given);
      },
    });
  };
  watch(window.Geolocation?.prototype, "getCurrentPosition", "geolocation");
  watch(window.Geolocation?.prototype, "watchPosition", "geolocation");
  watch(window.Notification, "requestPermission", "notifications");
  watch(window.MediaDevices?.prototype, "getUserMedia", ([wanted]) => (wanted?.video ? "camera" : "microphone"));
  addEventListener("saccade-asked", () => {
    const detail = [...new Set(asked)].join(",");
    asked = [];
    if (detail) dispatchEvent(new CustomEvent("saccade-told", { detail }));
  });
})();
