// The energy and forces of a molecule, by the library alone, from C++17. What it does and how it is
// called is that of evaluate.c beside it; the calls that may fail throw.
//
//   c++ -std=c++17 -o evaluate evaluate.cc $(pkg-config --cflags --libs irrep)
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <irrep/conventions.h>
#include <irrep/model.h>
#include <irrep/version.h>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Molecule {
  std::vector<std::int32_t> numbers;
  std::vector<double> positions; // [n][3] Angstrom
};

struct Result {
  double energy = 0.0;        // eV
  std::vector<double> forces; // [n][3] eV/Angstrom
};

// Throws where a call has failed.
void check(irrep_status status, const irrep_error &error) {
  if (status != IRREP_OK)
    throw std::runtime_error(std::string(irrep_status_message(status)) + ": " + error.detail +
                             " (" + error.field + ")");
}

// A model that this program owns.
class Model {
public:
  explicit Model(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file)
      throw std::runtime_error(path + " cannot be read");
    irrep_model *model = nullptr;
    irrep_error error{};
    check(irrep_model_load(bytes.data(), bytes.size(), &model, &error), error);
    model_.reset(model);
  }

  const irrep_card &card() const {
    return *irrep_model_card(model_.get());
  }

  // Evaluates one molecule, in double precision. Several threads may do so at a time.
  Result evaluate(const Molecule &molecule) const {
    irrep_structure structure = IRREP_STRUCTURE_INIT; // no axis is periodic
    structure.n_atoms = molecule.numbers.size();
    structure.numbers = molecule.numbers.data();
    structure.positions = molecule.positions.data();
    irrep_evaluate_options options = IRREP_EVALUATE_OPTIONS_INIT;
    options.precision = IRREP_FLOAT64;
    irrep_plan plan = IRREP_PLAN_INIT;
    irrep_error error{};
    check(irrep_model_plan(model_.get(), &structure, SIZE_MAX, &plan, &error), error);

    Result result;
    result.forces.resize(3 * plan.n_atoms);
    irrep_result out = IRREP_RESULT_INIT;
    out.forces = result.forces.data();
    const std::size_t bytes = irrep_model_bytes(model_.get(), options.precision, &plan);
    const std::unique_ptr<void, Free> arena(
        ::operator new(bytes, std::align_val_t(IRREP_ALIGNMENT)));
    check(irrep_model_evaluate(model_.get(), &options, &structure, 1, arena.get(), bytes, &out,
                               &error),
          error);
    check(out.status, irrep_error{out.status, "", "this molecule has no numbers"});
    result.energy = out.energy;
    return result;
  }

private:
  struct Free {
    void operator()(irrep_model *model) const {
      irrep_model_free(model);
    }
    void operator()(void *arena) const {
      ::operator delete(arena, std::align_val_t(IRREP_ALIGNMENT));
    }
  };

  std::unique_ptr<irrep_model, Free> model_;
};

Molecule water() {
  return {{8, 1, 1}, {0.0, 0.0, 0.0, 0.96, 0.0, 0.0, -0.24, 0.93, 0.0}};
}

Molecule read_atoms(const std::string &path) {
  Molecule molecule;
  std::ifstream file(path);
  std::int32_t number;
  double x, y, z;
  bool whole = file.is_open();
  while (whole && file >> number) {
    whole = static_cast<bool>(file >> x >> y >> z);
    molecule.numbers.push_back(number);
    molecule.positions.insert(molecule.positions.end(), {x, y, z});
  }
  if (!whole || !file.eof())
    throw std::runtime_error(path + " is not lines of the form Z x y z");
  return molecule;
}

void run(const std::string &path, const Molecule &molecule) {
  const Model model(path);
  std::printf("irrep %s, a model of %s, r_max %g Angstrom\n", irrep_version(),
              model.card().architecture, model.card().r_max);
  const Result result = model.evaluate(molecule);
  std::printf("energy %.12g eV\n", result.energy);
  for (std::size_t i = 0; i < result.forces.size(); i += 3)
    std::printf("force %.12g %.12g %.12g eV/Angstrom\n", result.forces[i], result.forces[i + 1],
                result.forces[i + 2]);
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s MODEL.safetensors [ATOMS]\n", argv[0]);
    return 2;
  }
  try {
    run(argv[1], argc == 3 ? read_atoms(argv[2]) : water());
  } catch (const std::exception &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
  return 0;
}
