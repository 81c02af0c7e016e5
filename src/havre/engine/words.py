"""The two lists that names are made of: how somebody is, and who found or built something."""

from typing import Final

_ADJECTIVES = """able agile airy alert amber ample apt artful astute avid awake balmy bold brave breezy bright brisk
    calm candid canny careful cheerful civil clear clever cosy crafty curious daring deft devoted diligent
    eager earnest easy elegant epic exact fair famous fancy fearless fervent fine fleet fluent fond frank
    free fresh friendly gallant genial gentle gifted glad gleeful golden grand handy happy hardy hearty
    honest hopeful humble ideal jolly jovial joyful keen kind lively loyal lucid lucky lush mellow merry
    mighty mild modest neat nimble noble open patient peppy placid plucky polite proud prudent quick quiet
    ready robust rosy sage serene sharp shiny silent sincere sleek smart smooth snug sober solid spry stable
    steady stoic sturdy subtle sunny sure swift tender tidy tranquil trusty upbeat valiant vivid warm wise
    witty worthy zealous zesty"""
_SURNAMES = """abel agnesi airy ampere andrews archimedes babbage bacon banneker bardeen barton bell benz bernoulli
    bessel bohr boole bose boyle braille brahe brunel carson cartwright cassini cavendish cerf chandrasekhar
    clarke colden cooper copernicus coulomb crick curie daguerre dalton darwin davinci davy descartes diesel
    dijkstra dirac drake eastwood edison einstein euclid euler faraday fermat fermi feynman fibonacci
    fleming fourier franklin fulton galileo galois galvani gauss germain goodall goodyear gutenberg hahn
    halley hamilton harrison harvey hawking heisenberg herschel hertz hilbert hodgkin hooke hopper hubble
    huygens hypatia jacquard johnson joule kelvin kepler khayyam khwarizmi knuth kovalevskaya lamarr
    laplace lavoisier leavitt leibniz linnaeus lovelace lumiere mach marconi maxwell mclean meitner mendel
    mendeleev mercator mirzakhani montgolfier morse napier newton nightingale nobel noether ohm oppenheimer
    otto papin pascal pasteur pauli perlman planck poincare ptolemy pythagoras raman ramanujan ride
    riemann ritchie rontgen rosalind rubin rutherford sagan salk shannon shockley siemens snow somerville
    stephenson tesla thales thompson torvalds turing vesalius volta watt wegener whitney wilkes wright
    wu yonath zeppelin zuse"""

ADJECTIVES: Final = tuple(_ADJECTIVES.split())
SURNAMES: Final = tuple(_SURNAMES.split())
